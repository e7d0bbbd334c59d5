import Glibc

/// What /proc tells of a process: CPU time and resident memory.
package struct ServerProcess: Sendable, Hashable {
    /// Of one moment.
    struct Sample: Sendable, Hashable {
        /// Nanoseconds that each thread has run, by its id.
        var threads: [Int32: Int64] = [:]
        /// Clock ticks of the whole process, ended threads included.
        var userTicks: Int64 = 0
        var systemTicks: Int64 = 0
        var residentBytes = 0
    }

    /// Between two samples.
    struct Usage: Sendable, Hashable {
        var cpuSeconds = 0.0
        var userSeconds = 0.0
        var systemSeconds = 0.0
    }

    let pid: Int32

    package init(pid: Int32) {
        self.pid = pid
    }

    /// Nil once the process is gone.
    func sample() -> Sample? {
        guard let stat = ProcFile.text("/proc/\(pid)/stat"), let end = stat.lastIndex(of: ")")
        else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 21, fields[0] != "Z" else { return nil }
        var sample = Sample()
        sample.userTicks = Int64(fields[11]) ?? 0
        sample.systemTicks = Int64(fields[12]) ?? 0
        sample.residentBytes = (Int(fields[21]) ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
        for thread in ProcFile.entries(of: "/proc/\(pid)/task").compactMap({ Int32($0) }) {
            let times = SchedulerTimes(path: "/proc/\(pid)/task/\(thread)/schedstat")
            sample.threads[thread] = times?.running
        }
        return sample
    }

    /// What was used from `start` to `end`. By the scheduler's count of nanoseconds; by ticks of
    /// 10 ms where a thread ended between, or the system does not count.
    static func usage(from start: Sample, to end: Sample) -> Usage {
        let perSecond = Double(sysconf(Int32(_SC_CLK_TCK)))
        var usage = Usage()
        usage.userSeconds = Double(end.userTicks - start.userTicks) / perSecond
        usage.systemSeconds = Double(end.systemTicks - start.systemTicks) / perSecond
        let isComplete =
            !end.threads.isEmpty && start.threads.keys.allSatisfy { end.threads[$0] != nil }
        let nanoseconds = end.threads.reduce(0) { $0 + $1.value - (start.threads[$1.key] ?? 0) }
        usage.cpuSeconds =
            isComplete ? Double(nanoseconds) / 1e9 : usage.userSeconds + usage.systemSeconds
        return usage
    }
}

/// What the scheduler says of a thread, in nanoseconds.
struct SchedulerTimes: Sendable, Hashable {
    var running: Int64
    /// Ready to run, and waiting for a processor.
    var waiting: Int64

    init?(path: String) {
        let fields = ProcFile.text(path)?.split(separator: " ") ?? []
        guard fields.count >= 2, let running = Int64(fields[0]), let waiting = Int64(fields[1])
        else { return nil }
        self.running = running
        self.waiting = waiting
    }

    static func ofThisThread() -> SchedulerTimes? {
        SchedulerTimes(path: "/proc/thread-self/schedstat")
    }
}

enum ProcFile {
    /// The start of a small file.
    static func text(_ path: String) -> String? {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = read(descriptor, &bytes, bytes.count)
        guard count > 0 else { return nil }
        let text = String(decoding: bytes[..<count], as: UTF8.self)
        return text.last == "\n" ? String(text.dropLast()) : text
    }

    static func entries(of path: String) -> [String] {
        guard let folder = opendir(path) else { return [] }
        defer { closedir(folder) }
        var names: [String] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
        }
        return names
    }
}
