/// Writes MessagePack in the shortest forms, as the Node libraries do: whole numbers as integers,
/// positive ones unsigned, every other number as float 64.
///
/// Source: MessagePack specification (msgpack/msgpack, spec.md).
package struct MessagePackWriter: Sendable {
    package private(set) var bytes: [UInt8] = []

    package init(capacity: Int = 0) {
        bytes.reserveCapacity(capacity)
    }

    package mutating func null() { bytes.append(0xC0) }

    /// JavaScript's `undefined`, as notepack and msgpackr write it.
    package mutating func undefined() { bytes += [0xD4, 0x00, 0x00] }

    package mutating func bool(_ value: Bool) { bytes.append(value ? 0xC3 : 0xC2) }

    package mutating func int(_ value: Int64) {
        switch value {
        case 0...: uint(UInt64(value))
        case (-0x20)...: bytes.append(UInt8(bitPattern: Int8(value)))
        case (-0x80)...: head(0xD0, UInt8(bitPattern: Int8(value)))
        case (-0x8000)...: head(0xD1, UInt16(bitPattern: Int16(value)))
        case (-0x8000_0000)...: head(0xD2, UInt32(bitPattern: Int32(value)))
        default: head(0xD3, UInt64(bitPattern: value))
        }
    }

    package mutating func uint(_ value: UInt64) {
        switch value {
        case ..<0x80: bytes.append(UInt8(value))
        case ..<0x100: head(0xCC, UInt8(value))
        case ..<0x1_0000: head(0xCD, UInt16(value))
        case ..<0x1_0000_0000: head(0xCE, UInt32(value))
        default: head(0xCF, value)
        }
    }

    /// A whole number within ±2^53 becomes an integer, as in JavaScript.
    package mutating func double(_ value: Double) {
        if value.magnitude <= 0x1p53, Double(Int64(value)) == value { return int(Int64(value)) }
        head(0xCB, value.bitPattern)
    }

    /// A date in notepack's form: extension type 0 with eight bytes of milliseconds since 1970.
    package mutating func date(_ milliseconds: Double) {
        let whole = milliseconds.magnitude <= 0x1p53 ? Int64(milliseconds) : 0
        bytes += [0xD7, 0x00]
        withUnsafeBytes(of: whole.bigEndian) { bytes.append(contentsOf: $0) }
    }

    package mutating func string(_ text: String) {
        var text = text
        text.withUTF8 { string($0) }
    }

    /// `utf8` is valid UTF-8.
    package mutating func string(_ utf8: some Collection<UInt8>) {
        let count = utf8.count
        if count < 0x20 {
            bytes.append(0xA0 | UInt8(count))
        } else {
            length(count, 0xD9, 0xDA, 0xDB)
        }
        bytes.append(contentsOf: utf8)
    }

    package mutating func binary(_ value: some Collection<UInt8>) {
        length(value.count, 0xC4, 0xC5, 0xC6)
        bytes.append(contentsOf: value)
    }

    /// The head of an array; its values have to follow.
    package mutating func array(_ count: Int) {
        if count < 0x10 {
            bytes.append(0x90 | UInt8(count))
        } else {
            length(count, nil, 0xDC, 0xDD)
        }
    }

    /// The head of a map; a key and a value for each have to follow.
    package mutating func map(_ count: Int) {
        if count < 0x10 {
            bytes.append(0x80 | UInt8(count))
        } else {
            length(count, nil, 0xDE, 0xDF)
        }
    }

    package mutating func strings(_ values: some Collection<String>) {
        array(values.count)
        for value in values { string(value) }
    }

    /// The head byte for lengths of 8, 16 or 32 bits, and the length. No value that fits in a
    /// Redis message is longer.
    private mutating func length(_ count: Int, _ short: UInt8?, _ medium: UInt8, _ long: UInt8) {
        if let short, count < 0x100 {
            head(short, UInt8(count))
        } else if count < 0x1_0000 {
            head(medium, UInt16(count))
        } else {
            head(long, UInt32(clamping: count))
        }
    }

    private mutating func head(_ byte: UInt8, _ value: some FixedWidthInteger) {
        bytes.append(byte)
        withUnsafeBytes(of: value.bigEndian) { bytes.append(contentsOf: $0) }
    }
}
