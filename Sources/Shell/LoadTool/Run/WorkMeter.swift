/// How busy a thread is during the measured window.
struct WorkMeter {
    private var start: (cpu: Int64, waiting: Int64, time: Int64)?
    private(set) var cpuNanoseconds: Int64 = 0
    private(set) var waitNanoseconds: Int64 = 0
    /// Share of the window in which the thread ran; in which it was ready and had no processor.
    private(set) var busy = 0.0
    private(set) var starved = 0.0
    private var isOver = false

    /// To be called often on the thread.
    mutating func update(now: Int64, window: RunControl.Window) {
        guard !isOver else { return }
        if let start {
            guard now >= window.end else { return }
            isOver = true
            cpuNanoseconds = MonotonicClock.threadTime() - start.cpu
            waitNanoseconds = (SchedulerTimes.ofThisThread()?.waiting ?? 0) - start.waiting
            let length = Double(max(1, now - start.time))
            busy = Double(cpuNanoseconds) / length
            starved = Double(waitNanoseconds) / length
        } else if now >= window.start {
            let waiting = SchedulerTimes.ofThisThread()?.waiting ?? 0
            start = (MonotonicClock.threadTime(), waiting, now)
        }
    }
}
