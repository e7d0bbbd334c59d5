import Glibc

/// What every payload says of itself, in a fixed width, so that a receiver finds and reads it
/// without parsing JSON: `~SSSSSSSS~NNNNNNNNNN~TTTTTTTTTTTTTTTTTTT~`, the sender's number, the
/// message's number and the nanosecond at which it was to be sent.
struct Marker: Equatable {
    static let byteCount = 41
    /// Senders of a run that the width has room for.
    static let maxSenders = 100_000_000

    var sender: Int
    var sequence: UInt32
    var time: Int64

    private static let tilde = UInt8(ascii: "~")

    /// - Parameter output: `byteCount` bytes.
    func write(into output: UnsafeMutableRawBufferPointer) {
        for position in [0, 9, 20, 40] { output[position] = Self.tilde }
        Self.write(UInt64(max(0, sender)), output, 1, digits: 8)
        Self.write(UInt64(sequence), output, 10, digits: 10)
        Self.write(UInt64(max(0, time)), output, 21, digits: 19)
    }

    private static func write(
        _ number: UInt64, _ output: UnsafeMutableRawBufferPointer, _ start: Int, digits: Int
    ) {
        var rest = number
        var position = start + digits - 1
        while position >= start {
            output[position] = UInt8(ascii: "0") + UInt8(rest % 10)
            rest /= 10
            position -= 1
        }
    }

    /// The marker that begins at `start`; nil where none does.
    @inline(__always)
    static func read(_ bytes: UnsafeRawBufferPointer, at start: Int) -> Marker? {
        guard start >= 0, bytes.count - start >= byteCount, let base = bytes.baseAddress,
            bytes[start] == tilde, bytes[start + 9] == tilde, bytes[start + 20] == tilde,
            bytes[start + 40] == tilde
        else { return nil }
        let here = base + start
        guard let sender = eight(here + 1), let high = eight(here + 10),
            let low = few(here + 18, 2), let first = eight(here + 21),
            let second = eight(here + 29),
            let third = few(here + 37, 3),
            let sequence = UInt32(exactly: high &* 100 &+ low)
        else { return nil }
        let time = (first &* 100_000_000 &+ second) &* 1000 &+ third
        return Marker(
            sender: Int(sender), sequence: sequence, time: Int64(truncatingIfNeeded: time))
    }

    /// Eight digits at once, as lanes of a word.
    @inline(__always)
    private static func eight(_ start: UnsafeRawPointer) -> UInt64? {
        let raw = UInt64(littleEndian: start.loadUnaligned(as: UInt64.self))
        let zeros: UInt64 = 0x3030_3030_3030_3030
        let tooHigh = raw &+ 0x4646_4646_4646_4646
        guard (tooHigh | (raw &- zeros)) & 0x8080_8080_8080_8080 == 0 else { return nil }
        var word = raw &- zeros
        word = (word &* 2561) >> 8 & 0x00FF_00FF_00FF_00FF
        word = (word &* 6_553_601) >> 16 & 0x0000_FFFF_0000_FFFF
        return (word &* 42_949_672_960_001) >> 32
    }

    @inline(__always)
    private static func few(_ start: UnsafeRawPointer, _ count: Int) -> UInt64? {
        var number: UInt64 = 0
        for index in 0..<count {
            let digit = start.load(fromByteOffset: index, as: UInt8.self) &- UInt8(ascii: "0")
            guard digit < 10 else { return nil }
            number = number &* 10 &+ UInt64(digit)
        }
        return number
    }
}

/// Finds markers; looks first where the last one was.
struct MarkerFinder {
    private var hint = 0

    /// Where the last one was.
    var position: Int { hint }

    @inline(__always)
    mutating func find(_ bytes: UnsafeRawBufferPointer) -> Marker? {
        if let marker = Marker.read(bytes, at: hint) { return marker }
        guard let (marker, start) = Self.search(bytes, from: 0) else { return nil }
        hint = start
        return marker
    }

    /// The first marker at or after `start`, and where it is.
    static func search(
        _ bytes: UnsafeRawBufferPointer, from start: Int
    ) -> (marker: Marker, start: Int)? {
        guard let base = bytes.baseAddress else { return nil }
        var position = start
        while bytes.count - position >= Marker.byteCount {
            let found = memchr(base + position, Int32(UInt8(ascii: "~")), bytes.count - position)
            guard let found else { return nil }
            position = UnsafeRawPointer(found) - base
            if let marker = Marker.read(bytes, at: position) { return (marker, position) }
            position += 1
        }
        return nil
    }
}
