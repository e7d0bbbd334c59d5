#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// How many files and sockets the system lets this process have open (RLIMIT_NOFILE).
enum FileLimit {
    /// Files that are not clients' connections: Redis, the cluster, pages, logs, the libraries.
    static let reserve = 64

    /// Raises the limit as far as the system allows.
    ///
    /// - Returns: the limit from now on; nil where there is none, or it cannot be known.
    static func raise() -> Int? {
        var limit = rlimit()
        let resource = __rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue))
        guard getrlimit(resource, &limit) == 0 else { return nil }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(resource, &raised) == 0 { limit = raised }
        }
        return Int(exactly: limit.rlim_cur)
    }

    /// The connections that can be had of those wished for.
    static func connections(wished: Int, files: Int?) -> Int {
        guard let files else { return wished }
        return min(wished, max(1, files - reserve))
    }
}
