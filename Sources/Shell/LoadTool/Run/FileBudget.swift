import Glibc

/// The system's limit of open files, raised as far as it goes.
enum FileBudget {
    /// - Parameter needed: files and sockets that the run has open at once.
    static func ensure(_ needed: Int) throws(LoadError) {
        var limit = rlimit()
        let resource = __rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue))
        guard getrlimit(resource, &limit) == 0 else { return }
        if limit.rlim_cur < limit.rlim_max {
            var raised = limit
            raised.rlim_cur = limit.rlim_max
            if setrlimit(resource, &raised) == 0 { limit = raised }
        }
        guard let allowed = Int(exactly: limit.rlim_cur), allowed < needed else { return }
        throw .usage(
            "\(needed) open files are needed and the system allows \(allowed);"
                + " raise the hard limit (ulimit -Hn)")
    }
}
