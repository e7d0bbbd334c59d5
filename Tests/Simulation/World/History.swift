/// What happened, in order. Always as a hash; in words only when somebody reads them.
package final class History {
    enum Kind: UInt64 {
        case fault, edit, upload, leave, lost, joined, answer, heard, scene, fold, end
    }

    private(set) var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    private(set) var lines: [String] = []
    private let isKept: Bool
    private unowned let scheduler: Scheduler

    init(_ scheduler: Scheduler, isKept: Bool) {
        self.scheduler = scheduler
        self.isKept = isKept
    }

    func note(_ kind: Kind, _ numbers: Int..., text: () -> String) {
        mix(kind.rawValue)
        mix(UInt64(bitPattern: scheduler.now))
        for number in numbers { mix(UInt64(bitPattern: Int64(number))) }
        guard isKept else { return }
        let milliseconds = scheduler.now / 1_000_000
        let micros = String(1_000 + scheduler.now / 1_000 % 1_000).dropFirst()
        lines.append("\(milliseconds).\(micros) \(text())")
    }

    private func mix(_ value: UInt64) {
        hash = (hash ^ value) &* 0x100_0000_01b3
        hash ^= hash >> 29
    }
}
