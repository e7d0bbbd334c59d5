import Foundation
import Testing
import WireKit

@Suite("The program protocol-suite-server", .timeLimit(.minutes(1)))
struct ProgramTests {
    @Test("It prints where it listens, serves, and ends with 0 on SIGTERM and SIGINT")
    func life() async throws {
        for signal in [SIGTERM, SIGINT] {
            let program = try await ProgramProcess("protocol-suite-server", ["--port", "0"])
            #expect(program.firstLine == "listening on 127.0.0.1:\(program.port)")
            let socket = try await WireClient(port: program.port).openWebSocket(.socketIO4)
            async let exitCode = program.end(signal: signal)
            #expect(try await socket.message() == .close(1012))
            socket.close()
            #expect(await exitCode == 0)
        }
    }

    @Test("Where the port is taken it says so and ends with 1")
    func portTaken() async throws {
        let port = try await SuiteServerProcess.client().port
        let (text, exitCode) = try await ProgramProcess.output(
            of: "protocol-suite-server", ["--port", "\(port)"])
        #expect(exitCode == 1)
        #expect(text.hasPrefix("cannot listen on 127.0.0.1:\(port): "))
    }

    @Test("--help names its options")
    func help() async throws {
        let (text, exitCode) = try await ProgramProcess.output(
            of: "protocol-suite-server", ["--help"])
        #expect(exitCode == 0)
        #expect(text.contains("--port") && text.contains("--host"))
    }
}
