//! FIFOs, devices, links and growing files must not hang the host, fill its memory or reveal its secrets.
