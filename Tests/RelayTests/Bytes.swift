/// A byte, or the bytes of a text, of a message written by hand.
enum Bytes: ExpressibleByIntegerLiteral, ExpressibleByStringLiteral {
    case byte(UInt8)
    case text(String)

    init(integerLiteral value: UInt8) { self = .byte(value) }
    init(stringLiteral value: String) { self = .text(value) }
}

func bytes(_ parts: Bytes...) -> [UInt8] {
    parts.flatMap { part in
        switch part {
        case .byte(let byte): [byte]
        case .text(let text): Array(text.utf8)
        }
    }
}
