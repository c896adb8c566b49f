//! Whether this process has anything to do with a network, asked of the system itself.

use ui::status::Network;

/// Counts the internet sockets of this process, where the system lists them.
pub fn look() -> Network {
    #[cfg(target_os = "linux")]
    return linux::look();
    #[cfg(not(target_os = "linux"))]
    return Network::Unknown;
}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashSet;

    use super::Network;

    /// The tables of the kernel's internet sockets (proc(5), `/proc/pid/net`).
    const TABLES: [&str; 6] = ["tcp", "tcp6", "udp", "udp6", "raw", "raw6"];

    pub fn look() -> Network {
        let Ok(entries) = std::fs::read_dir("/proc/self/fd") else {
            return Network::Unknown;
        };
        let own: HashSet<String> = entries
            .filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok())
            .filter_map(|target| inode(&target.to_string_lossy()))
            .collect();
        let mut count = 0;
        let mut seen = false;
        for table in TABLES {
            if let Ok(text) = std::fs::read_to_string(format!("/proc/self/net/{table}")) {
                seen = true;
                count += inodes(&text).filter(|inode| own.contains(*inode)).count();
            }
        }
        match (seen, count) {
            (false, _) => Network::Unknown,
            (true, 0) => Network::Offline,
            (true, count) => Network::Sockets(count),
        }
    }

    /// The number in `socket:[12345]`.
    fn inode(target: &str) -> Option<String> {
        Some(target.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
    }

    /// The tenth column of a socket table.
    fn inodes(table: &str) -> impl Iterator<Item = &str> {
        table.lines().skip(1).filter_map(|line| line.split_whitespace().nth(9))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_socket_of_this_process_is_seen() {
            // Other tests of this process open none.
            assert_eq!(look(), Network::Offline);
            // SAFETY: opens and closes a socket that nothing else knows of.
            let socket = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM, 0) };
            assert!(socket >= 0);
            // Only a bound socket stands in the table.
            let address = libc::sockaddr_in {
                sin_family: libc::AF_INET as u16,
                sin_port: 0,
                sin_addr: libc::in_addr { s_addr: u32::from_ne_bytes([127, 0, 0, 1]) },
                sin_zero: [0; 8],
            };
            // SAFETY: the address is a whole `sockaddr_in`, and its length is given.
            let bound = unsafe {
                libc::bind(socket, (&raw const address).cast(), size_of_val(&address) as u32)
            };
            assert_eq!(bound, 0);
            assert_eq!(look(), Network::Sockets(1));
            // SAFETY: see above.
            unsafe { libc::close(socket) };
            assert_eq!(look(), Network::Offline);
        }
    }
}
