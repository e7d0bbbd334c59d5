extension JSONText {
    public var isNull: Bool { kind == .null }

    /// The value of `true` or `false`; nil for any other value.
    public var bool: Bool? {
        switch bytes.first {
        case UInt8(ascii: "t"): true
        case UInt8(ascii: "f"): false
        default: nil
        }
    }

    /// The number if it is a whole one and `Int64` holds it exactly; nil otherwise. Spelled with a
    /// fraction or an exponent (`1.0`, `1e3`), it must also be within ±2^53.
    public var int: Int64? {
        guard kind == .number else { return nil }
        let whole = bytes.first == .minus ? bytes.dropFirst() : bytes
        var value: Int64 = 0
        for byte in whole {
            guard byte.isDigit else { return exactInteger }
            let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
            let (next, carry) = tens.subtractingReportingOverflow(Int64(byte &- 0x30))
            guard !overflow, !carry else { return nil }
            value = next
        }
        if bytes.first == .minus { return value }
        let (positive, overflow) = Int64(0).subtractingReportingOverflow(value)
        return overflow ? nil : positive
    }

    private var exactInteger: Int64? {
        guard let double, double.magnitude <= 9_007_199_254_740_992 else { return nil }
        // Not `Int64(exactly:)`, which would have every program of this module link libm.
        let whole = Int64(double)
        return Double(whole) == double ? whole : nil
    }

    /// The number as the nearest `Double`; nil if the value is no number or beyond its range.
    public var double: Double? {
        guard kind == .number, let value = Double(text), value.isFinite else { return nil }
        return value
    }

    /// The string without its escapes; nil if the value is no string. A surrogate escape without
    /// its partner becomes U+FFFD.
    public var string: String? {
        guard bytes.count >= 2, bytes.first == .quote else { return nil }
        return JSONUnescape.string(bytes.dropFirst().dropLast())
    }
}
