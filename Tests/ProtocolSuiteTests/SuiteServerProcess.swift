import Testing
import WireKit

/// The one server that all tests of the suites talk to: the program as it was built.
enum SuiteServerProcess {
    private static let shared = Task {
        try await ProgramProcess("protocol-suite-server", ["--port", "0"])
    }

    static func client() async throws -> WireClient {
        WireClient(port: try await shared.value.port)
    }
}

/// The numbers that the suites are written for, in milliseconds.
enum SuiteNumbers {
    static let pingInterval = 300
    static let pingTimeout = 200
    static let connectTimeout = 1000
    static let maxPayloadBytes = 1_000_000
    /// After this a silent client is gone, also on a machine that has much else to do.
    static let surelySilent = Duration.milliseconds(pingInterval + pingTimeout + 200)
}

/// What was seen is not what the suite demands.
struct Mismatch: Error, CustomStringConvertible {
    let description: String

    init(_ text: String, _ location: SourceLocation) {
        description = "\(location.fileName):\(location.line): \(text)"
    }
}

/// Runs a scenario against the server, up to three times, and fails as the last run did.
///
/// The server's clock is fast: a client that is silent for half a second is gone, and rightly. A
/// machine that stands still for so long spoils a run; a server that is wrong spoils all.
func scenario(_ run: (WireClient) async throws -> Void) async throws {
    let client = try await SuiteServerProcess.client()
    for _ in 0..<2 {
        do {
            return try await run(client)
        } catch {
            continue
        }
    }
    try await run(client)
}

/// Throws where the two differ.
func expect<Value: Equatable>(
    _ seen: Value, is wanted: Value, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    if seen != wanted { throw Mismatch("\(seen) is not \(wanted)", sourceLocation) }
}

/// Throws where the condition does not hold.
func expect(
    _ condition: Bool, _ text: String, sourceLocation: SourceLocation = #_sourceLocation
) throws {
    if !condition { throw Mismatch(text, sourceLocation) }
}
