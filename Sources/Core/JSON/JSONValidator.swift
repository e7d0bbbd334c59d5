/// Checks bytes against RFC 8259 without building anything.
///
/// Iterative: nesting costs one bit a level, so depth never reaches the stack of the thread.
/// Lone surrogates written as escapes are allowed, as the grammar allows them; encoded as UTF-8
/// they are not.
struct JSONValidator {
    private let scanner: JSONScanner
    private let limits: JSONLimits
    private var open = Nesting()
    private var index = 0

    init(_ bytes: UnsafeBufferPointer<UInt8>, limits: JSONLimits) {
        self.scanner = JSONScanner(bytes: bytes)
        self.limits = limits
    }

    /// Positions of the value without the whitespace around it.
    mutating func validate() throws(JSONError) -> Range<Int> {
        guard scanner.count <= limits.maxBytes else { throw error(.size, at: limits.maxBytes) }
        skipWhitespace()
        guard index < scanner.count else { throw error(.empty) }
        let start = index
        repeat { try beginValue() } while try !endValues()
        let end = index
        skipWhitespace()
        guard index == scanner.count else { throw error(.trailing) }
        return start..<end
    }

    /// Goes into containers until a value is complete: a scalar or an empty container.
    @inline(__always) private mutating func beginValue() throws(JSONError) {
        while true {
            switch try current() {
            case .quote: return try string()
            case .openBrace:
                try push(isObject: true)
                if try current() == .closeBrace { return pop() }
                try memberName()
            case .openBracket:
                try push(isObject: false)
                if try current() == .closeBracket { return pop() }
            case UInt8(ascii: "t"): return try literal("true")
            case UInt8(ascii: "f"): return try literal("false")
            case UInt8(ascii: "n"): return try literal("null")
            default: return try number()
            }
        }
    }

    /// After a value: closes what ends here. True when the outermost value is complete, false
    /// when another value begins at `index`.
    @inline(__always) private mutating func endValues() throws(JSONError) -> Bool {
        while open.depth > 0 {
            skipWhitespace()
            let byte = try current()
            if byte == .comma {
                index += 1
                skipWhitespace()
                if open.isObject { try memberName() }
                return false
            }
            guard byte == (open.isObject ? .closeBrace : .closeBracket) else {
                throw error(.syntax)
            }
            pop()
        }
        return true
    }

    @inline(__always) private mutating func memberName() throws(JSONError) {
        guard try current() == .quote else { throw error(.syntax) }
        try string()
        skipWhitespace()
        guard try current() == .colon else { throw error(.syntax) }
        index += 1
        skipWhitespace()
    }

    @inline(__always) private mutating func push(isObject: Bool) throws(JSONError) {
        guard open.depth < limits.maxDepth else { throw error(.depth) }
        open.push(isObject)
        index += 1
        skipWhitespace()
    }

    @inline(__always) private mutating func pop() {
        open.pop()
        index += 1
    }

    private mutating func literal(_ word: StaticString) throws(JSONError) {
        for position in 0..<word.utf8CodeUnitCount {
            guard try current() == word.utf8Start[position] else { throw error(.syntax) }
            index += 1
        }
    }

    @inline(__always) private mutating func number() throws(JSONError) {
        if scanner[index] == .minus { index += 1 }
        let first = try current()
        guard first.isDigit else { throw error(.syntax) }
        index += 1
        if first != UInt8(ascii: "0") { skipDigits() }
        if index < scanner.count, scanner[index] == UInt8(ascii: ".") {
            index += 1
            try digits()
        }
        if index < scanner.count, scanner[index] | 0x20 == UInt8(ascii: "e") {
            index += 1
            let sign = try current()
            if sign == .minus || sign == UInt8(ascii: "+") { index += 1 }
            try digits()
        }
    }

    @inline(__always) private mutating func digits() throws(JSONError) {
        guard try current().isDigit else { throw error(.syntax) }
        skipDigits()
    }

    @inline(__always) private mutating func skipDigits() {
        while index < scanner.count, scanner[index].isDigit { index += 1 }
    }

    @inline(__always) private mutating func string() throws(JSONError) {
        index += 1
        while true {
            index = scanner.afterPlainText(index)
            let byte = try current()
            if byte == .quote {
                index += 1
                return
            }
            if byte == .backslash {
                try escape()
            } else if byte >= 0x80 {
                try multibyteScalar(first: byte)
            } else {
                throw error(.syntax)
            }
        }
    }

    private mutating func escape() throws(JSONError) {
        index += 1
        switch try current() {
        case .quote, .backslash, UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            index += 1
        case UInt8(ascii: "u"):
            index += 1
            for _ in 0..<4 {
                guard try current().hexValue != nil else { throw error(.syntax) }
                index += 1
            }
        default: throw error(.syntax)
        }
    }

    /// One character of two to four bytes, by the table of RFC 3629 § 4.
    private mutating func multibyteScalar(first: UInt8) throws(JSONError) {
        let second: ClosedRange<UInt8>
        let length: Int
        switch first {
        case 0xC2...0xDF: (length, second) = (2, 0x80...0xBF)
        case 0xE0: (length, second) = (3, 0xA0...0xBF)
        case 0xED: (length, second) = (3, 0x80...0x9F)
        case 0xE1...0xEF: (length, second) = (3, 0x80...0xBF)
        case 0xF0: (length, second) = (4, 0x90...0xBF)
        case 0xF1...0xF3: (length, second) = (4, 0x80...0xBF)
        case 0xF4: (length, second) = (4, 0x80...0x8F)
        default: throw error(.utf8)
        }
        guard scanner.count - index >= length else { throw error(.utf8) }
        guard second.contains(scanner[index + 1]) else { throw error(.utf8) }
        for position in 2..<max(length, 2) where scanner[index + position] & 0xC0 != 0x80 {
            throw error(.utf8)
        }
        index += length
    }

    @inline(__always) private mutating func skipWhitespace() {
        index = scanner.afterWhitespace(index)
    }

    @inline(__always) private func current() throws(JSONError) -> UInt8 {
        guard index < scanner.count else { throw error(.truncated) }
        return scanner[index]
    }

    private func error(_ reason: JSONError.Reason, at offset: Int? = nil) -> JSONError {
        JSONError(offset: offset ?? index, reason: reason)
    }
}

/// The containers around a position: one bit a level, 1 for an object.
private struct Nesting {
    private(set) var depth = 0
    private var top: UInt64 = 0
    private var full: [UInt64] = []

    @inline(__always) var isObject: Bool { top & 1 == 1 }

    @inline(__always) mutating func push(_ isObject: Bool) {
        if depth > 0, depth & 63 == 0 { full.append(top) }
        top = top &<< 1 | (isObject ? 1 : 0)
        depth += 1
    }

    @inline(__always) mutating func pop() {
        depth -= 1
        top &>>= 1
        if depth > 0, depth & 63 == 0, let word = full.popLast() { top = word }
    }
}
