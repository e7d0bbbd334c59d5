/// One piece of code that takes bytes from outside, and what must hold for any bytes.
struct FuzzTarget: Sendable {
    /// As in `scripts/fuzz.sh` and in the folder of its corpus.
    let name: String
    /// Bytes of the longest input that the fuzzer tries.
    let maxBytes: Int
    /// Throws `Finding` where something that must hold does not; traps are findings too.
    let run: @Sendable (_ input: [UInt8]) throws -> Void

    static let all: [FuzzTarget] = [
        .http, .httpValues, .webSocket, .engineIO, .socketIO, .json, .messagePack, .relay, .redis,
        .stored, .scene, .room, .events, .settings,
    ]

    /// Fails on purpose, once the fuzzer has found its way there: it shows that findings are seen.
    static let planted = FuzzTarget(name: "planted", maxBytes: 64) { input in
        try require(!input.starts(with: "BOOM".utf8), "the planted finding")
        if input.starts(with: "TRAP".utf8) { preconditionFailure("the planted trap") }
    }
}

/// What must hold, and does not.
struct Finding: Error, CustomStringConvertible {
    let description: String
}

func require(_ condition: @autoclosure () throws -> Bool, _ message: @autoclosure () -> String)
    throws
{
    guard try condition() else { throw Finding(description: message()) }
}
