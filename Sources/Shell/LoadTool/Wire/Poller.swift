import CEpoll
import Glibc

/// epoll of one thread. Level-triggered: what is not read now is told again.
struct Poller: ~Copyable {
    struct Event {
        var token: UInt64
        var isReadable: Bool
        var isWritable: Bool
    }

    private static let capacity = 512
    private let descriptor: Int32
    private let events: UnsafeMutablePointer<epoll_event>

    init() throws(LoadError) {
        descriptor = epoll_create1(Int32(EPOLL_CLOEXEC))
        guard descriptor >= 0 else { throw LoadError.system("epoll_create1", errno) }
        events = .allocate(capacity: Self.capacity)
        events.initialize(repeating: epoll_event(), count: Self.capacity)
    }

    deinit {
        close(descriptor)
        events.deallocate()
    }

    /// Watches a new socket; closing it ends that.
    func add(_ socket: Int32, token: UInt64, writes: Bool) throws(LoadError) {
        guard control(EPOLL_CTL_ADD, socket, token, writes) else {
            throw LoadError.system("epoll_ctl", errno)
        }
    }

    func watch(_ socket: Int32, token: UInt64, writes: Bool) {
        _ = control(EPOLL_CTL_MOD, socket, token, writes)
    }

    /// Waits until something happens, at most `nanoseconds`.
    ///
    /// - Returns: how many events there are.
    func wait(nanoseconds: Int64) -> Int {
        let wait = max(0, nanoseconds)
        var time = timespec(
            tv_sec: Int(wait / MonotonicClock.second), tv_nsec: Int(wait % MonotonicClock.second))
        return max(0, Int(epoll_pwait2(descriptor, events, Int32(Self.capacity), &time, nil)))
    }

    subscript(index: Int) -> Event {
        let event = events[index]
        let failed = event.events & (EPOLLERR.rawValue | EPOLLHUP.rawValue) != 0
        return Event(
            token: event.data.u64, isReadable: failed || event.events & EPOLLIN.rawValue != 0,
            isWritable: failed || event.events & EPOLLOUT.rawValue != 0)
    }

    private func control(
        _ operation: Int32, _ socket: Int32, _ token: UInt64, _ writes: Bool
    ) -> Bool {
        var event = epoll_event()
        event.events = EPOLLIN.rawValue | (writes ? EPOLLOUT.rawValue : 0)
        event.data.u64 = token
        return epoll_ctl(descriptor, operation, socket, &event) == 0
    }
}
