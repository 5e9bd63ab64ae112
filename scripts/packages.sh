# shellcheck shell=bash
# Debian's packages: which ones katafs and its tests need, and how to have some installed. Other scripts source this.

# shellcheck disable=SC2034 # for those
run_packages=(fuse3 python3-venv rsync)
# shellcheck disable=SC2034
test_packages=(make docker.io bindfs stress-ng fio busybox-static attr acl git e2fsprogs xfsprogs btrfs-progs systemd man-db mandoc zsh fish borgbackup restic plocate)

missing_packages() {
  comm -13 \
    <(dpkg-query -W -f '${db:Status-Status}=${Package}\n' "$@" 2>/dev/null | sed -n 's/^installed=//p' | sort) \
    <(printf '%s\n' "$@" | sort)
}

need_packages() {
  command -v dpkg-query >/dev/null || return 0 # not Debian: what comes next says what it lacks
  local missing
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    echo "${0##*/}: these packages are missing; as root: apt-get install ${missing[*]}" >&2
    exit 1
  fi
  echo "${0##*/}: installing ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  apt-get -qq -o DPkg::Lock::Timeout=600 update
  apt-get -qq -o DPkg::Lock::Timeout=600 install --no-install-recommends "${missing[@]}" </dev/null >/dev/null
}
