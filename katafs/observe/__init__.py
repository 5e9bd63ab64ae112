"""What is said of a running daemon: its log, systemd's notifications, and figures for Prometheus."""
