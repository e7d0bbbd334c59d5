import Glibc

/// Why a run came to no result, in words for the person who started it.
package struct LoadError: Error, Sendable, Hashable, CustomStringConvertible {
    package enum Kind: Sendable, Hashable {
        /// What was asked for makes no sense: nothing was sent.
        case usage
        /// The servers or this machine did not let it happen.
        case failed
    }

    package var kind: Kind
    package var description: String

    package static func usage(_ text: String) -> LoadError {
        LoadError(kind: .usage, description: text)
    }

    package static func failed(_ text: String) -> LoadError {
        LoadError(kind: .failed, description: text)
    }

    static func system(_ call: String, _ number: Int32) -> LoadError {
        failed("\(call): \(text(of: number))")
    }

    static func text(of number: Int32) -> String {
        String(cString: strerror(number))
    }
}
