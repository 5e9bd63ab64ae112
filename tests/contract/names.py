"""The volumes that the contract's tests make."""

from katafs.kata_id import VolumeName

KATA = VolumeName("123456789A")
OTHER = VolumeName("12FEDCBA98")
LION = VolumeName("123456789A_lion")
