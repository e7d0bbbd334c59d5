import Foundation
import Synchronization

/// A program of this package, run as it was built, that listens on a port and says so.
///
/// It dies with the test process, however that ends.
package final class ProgramProcess: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    private struct Running {
        let program: Process
        let watchdog: Process
    }

    /// The first line that the program printed.
    package let firstLine: String
    private let input: Pipe
    private let running: Mutex<Running?>

    /// Starts the program and waits for its first line of output.
    package init(_ name: String, _ arguments: [String]) async throws {
        let program = Process()
        program.executableURL = try Self.executable(name)
        program.arguments = arguments
        program.standardError = FileHandle.nullDevice
        let (input, output) = (Pipe(), Pipe())
        program.standardInput = input
        program.standardOutput = output
        try program.run()
        self.input = input
        let watchdog = try Self.watchdog(of: program.processIdentifier)
        running = Mutex(Running(program: program, watchdog: watchdog))
        firstLine = try await Self.line(from: output.fileHandleForReading)
        guard !firstLine.isEmpty else { throw Failure(description: "\(name) printed nothing") }
    }

    deinit {
        guard let ended = running.withLock({ $0.take() }) else { return }
        // The watchdog first: the number of an ended process may be given to another.
        kill(ended.watchdog.processIdentifier, SIGKILL)
        if ended.program.isRunning { kill(ended.program.processIdentifier, SIGKILL) }
    }

    /// The port after the last colon of `firstLine`.
    package var port: Int {
        firstLine.split(separator: ":").last.flatMap { Int($0) } ?? 0
    }

    /// Writes a line to the program's input.
    package func write(line: String) throws {
        try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    }

    /// Sends a signal and waits for the end.
    ///
    /// - Parameter signal: nil closes the program's input instead.
    /// - Returns: the exit code, or minus the number of the signal that ended it.
    package func end(signal: Int32? = nil) async -> Int32 {
        guard let ended = running.withLock({ $0.take() }) else { return 0 }
        if let signal {
            kill(ended.program.processIdentifier, signal)
        } else {
            try? input.fileHandleForWriting.close()
        }
        while ended.program.isRunning { try? await Task.sleep(for: .milliseconds(5)) }
        kill(ended.watchdog.processIdentifier, SIGKILL)
        let status = ended.program.terminationStatus
        return ended.program.terminationReason == .exit ? status : -status
    }

    /// Runs a program that ends by itself.
    package static func output(
        of name: String, _ arguments: [String]
    ) async throws -> (text: String, exitCode: Int32) {
        let program = Process()
        program.executableURL = try executable(name)
        program.arguments = arguments
        let output = Pipe()
        program.standardInput = FileHandle.nullDevice
        program.standardOutput = output
        program.standardError = output
        try program.run()
        let handle = output.fileHandleForReading
        let text = try await onThread {
            String(decoding: handle.readDataToEndOfFile(), as: UTF8.self)
        }
        while program.isRunning { try await Task.sleep(for: .milliseconds(2)) }
        return (text, program.terminationStatus)
    }

    /// Beside the tests, where the build puts programs.
    private static func executable(_ name: String) throws -> URL {
        let arguments = CommandLine.arguments
        for place in arguments where place.contains(".xctest") {
            var folder = URL(fileURLWithPath: place).deletingLastPathComponent()
            for _ in 0..<4 {
                let file = folder.appendingPathComponent(name)
                if FileManager.default.isExecutableFile(atPath: file.path) { return file }
                folder = folder.deletingLastPathComponent()
            }
        }
        throw Failure(description: "\(name) is not built; looked beside \(arguments)")
    }

    private static func line(from handle: FileHandle) async throws -> String {
        try await onThread {
            var line = Data()
            while let byte = try? handle.read(upToCount: 1), let first = byte.first,
                first != UInt8(ascii: "\n")
            {
                line.append(first)
            }
            return String(decoding: line, as: UTF8.self)
        }
    }

    /// Blocking work does not belong on the threads that run the tests.
    private static func onThread(
        _ work: @escaping @Sendable () -> String
    ) async throws -> String {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread { continuation.resume(returning: work()) }
        }
    }

    /// Ends `pid` when this process ends in any way: its end closes the pipe that `read` waits on.
    private static func watchdog(of pid: Int32) throws -> Process {
        let watchdog = Process()
        watchdog.executableURL = URL(fileURLWithPath: "/bin/sh")
        watchdog.arguments = ["-c", "read _; kill -9 \(pid)"]
        watchdog.standardInput = Pipe()
        watchdog.standardOutput = FileHandle.nullDevice
        watchdog.standardError = FileHandle.nullDevice
        try watchdog.run()
        return watchdog
    }
}
