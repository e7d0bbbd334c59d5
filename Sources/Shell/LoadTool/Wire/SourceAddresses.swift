import Glibc

/// Sockets to the servers. One loopback address has some 28,000 ports to connect from, so clients
/// beyond `perSource` connect from 127.0.0.2, 127.0.0.3 and on.
struct SourceAddresses: Sendable {
    let perSource: Int

    /// Begins to connect a socket that does not block.
    ///
    /// - Parameter number: of the client among all of the run.
    func connect(to server: ServerAddress, number: Int) throws(LoadError) -> Int32 {
        let kind = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        let descriptor = socket(AF_INET, kind, 0)
        guard descriptor >= 0 else { throw .system("socket", errno) }
        var on: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &on, size)
        let source = number / perSource
        if source > 0, server.isLoopback {
            setsockopt(descriptor, Int32(IPPROTO_IP), IP_BIND_ADDRESS_NO_PORT, &on, size)
            let loopback = UInt32(0x7F00_0001) + UInt32(source)
            guard Self.call(bind, descriptor, loopback.bigEndian, port: 0) == 0 else {
                throw .system("bind to 127.0.0.\(1 + source)", errno)
            }
        }
        if Self.call(Glibc.connect, descriptor, server.address, port: server.port) != 0,
            errno != EINPROGRESS
        {
            let number = errno
            close(descriptor)
            throw Self.problem(number, server)
        }
        return descriptor
    }

    private static func problem(_ number: Int32, _ server: ServerAddress) -> LoadError {
        let hint =
            number == EADDRNOTAVAIL
            ? "; all local ports to it are in use (net.ipv4.ip_local_port_range)" : ""
        return .failed("connect to \(server.authority): \(LoadError.text(of: number))\(hint)")
    }

    private static func call(
        _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32, _ descriptor: Int32,
        _ address: UInt32, port: UInt16
    ) -> Int32 {
        var full = sockaddr_in()
        full.sin_family = sa_family_t(AF_INET)
        full.sin_port = port.bigEndian
        full.sin_addr.s_addr = address
        return withUnsafePointer(to: &full) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                function(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
    }
}
