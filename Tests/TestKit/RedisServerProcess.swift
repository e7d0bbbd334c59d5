import Foundation
import Synchronization

/// A real `redis-server` for one test: own port, own temporary folder, ended with the test.
///
/// It dies with the test process too, however that ends. Throws where the program is absent: a
/// test without its Redis has failed, it is not skipped.
package final class RedisServerProcess: Sendable {
    package struct Failure: Error, CustomStringConvertible {
        package let description: String
    }

    /// A certificate authority and a certificate for `localhost` and 127.0.0.1.
    package struct Certificates: Sendable {
        package let authority: String
        package let certificate: String
        package let key: String
    }

    package let port: Int
    package let folder: URL
    /// Of a server that speaks TLS only.
    package let certificates: Certificates?
    private let arguments: [String]
    private let running = Mutex<Running?>(nil)

    private struct Running {
        let server: Process
        let watchdog: Process
    }

    /// Starts a server that keeps nothing on disk and waits until it accepts connections.
    ///
    /// `options` are its command line: `["--requirepass", "secret"]`. With `tls` it speaks nothing
    /// else, with certificates made for it by the `openssl` program; `cli` then does not work.
    package init(port: Int? = nil, options: [String] = [], tls: Bool = false) throws {
        let port = try port ?? Self.freePort()
        self.port = port
        folder = try Self.temporaryFolder()
        certificates = tls ? try Self.makeCertificates(in: folder) : nil
        arguments =
            ["--bind", "127.0.0.1", "--port", "\(port)", "--dir", folder.path, "--daemonize", "no"]
            + ["--save", "", "--appendonly", "no", "--logfile", "redis.log"]
            + ["--repl-diskless-sync-delay", "0"] + options
            + (certificates.map { Self.tlsOptions(port: port, $0) } ?? [])
        try start()
    }

    /// Starts a Sentinel; the lines of its configuration say what it watches.
    package init(sentinelConfiguration lines: String) throws {
        port = try Self.freePort()
        folder = try Self.temporaryFolder()
        certificates = nil
        let file = folder.appendingPathComponent("sentinel.conf")
        let common = "port \(port)\nbind 127.0.0.1\ndir \(folder.path)\nlogfile redis.log\n"
        try Data((common + lines + "\n").utf8).write(to: file)
        arguments = [file.path, "--sentinel"]
        try start()
    }

    deinit {
        kill()
        try? FileManager.default.removeItem(at: folder)
    }

    package var pid: Int32 { running.withLock { $0?.server.processIdentifier ?? -1 } }

    /// Starts it again after `kill`, on the same port; empty unless `options` make it durable.
    package func start() throws {
        let server = try Self.process("redis-server", arguments, in: folder)
        try server.run()
        let watchdog = try Self.watchdog(of: server.processIdentifier)
        running.withLock { $0 = Running(server: server, watchdog: watchdog) }
        try waitUntilAccepting()
    }

    /// SIGKILL; returns when the process has ended.
    package func kill() {
        guard let ended = running.withLock({ $0.take() }) else { return }
        // The watchdog first: the number of an ended process may be given to another.
        Foundation.kill(ended.watchdog.processIdentifier, SIGKILL)
        if ended.server.isRunning { Foundation.kill(ended.server.processIdentifier, SIGKILL) }
        while ended.server.isRunning { usleep(2_000) }
    }

    /// SIGSTOP: it keeps its connections, and the kernel accepts new ones, but nothing is answered.
    package func suspend() { _ = Foundation.kill(pid, SIGSTOP) }

    /// SIGCONT.
    package func resume() { _ = Foundation.kill(pid, SIGCONT) }

    /// Runs `redis-cli` against the server and returns what it prints, trimmed.
    @discardableResult
    package func cli(_ arguments: [String]) throws -> String {
        let cli = try Self.process("redis-cli", ["-p", "\(port)"] + arguments, in: folder)
        let output = Pipe()
        cli.standardOutput = output
        try cli.run()
        let data = output.fileHandleForReading.readDataToEndOfFile()
        while cli.isRunning { usleep(1_000) }
        return String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    }

    package var log: String {
        (try? String(contentsOf: folder.appendingPathComponent("redis.log"), encoding: .utf8)) ?? ""
    }
}

// MARK: - Files

extension RedisServerProcess {
    /// A port of 127.0.0.1 that nothing listens on at the moment.
    package static func freePort() throws -> Int {
        let socket = try TCPSocket()
        guard let port = socket.bind() else { throw Failure(description: "no free port") }
        return port
    }

    private static func temporaryFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory
            .appendingPathComponent("redis-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private static func tlsOptions(port: Int, _ files: Certificates) -> [String] {
        [
            "--port", "0", "--tls-port", "\(port)", "--tls-cert-file", files.certificate,
            "--tls-key-file", files.key, "--tls-ca-cert-file", files.authority,
            "--tls-auth-clients", "no",
        ]
    }

    private static func makeCertificates(in folder: URL) throws -> Certificates {
        let names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
        try Data(names.utf8).write(to: folder.appendingPathComponent("names.cnf"))
        let key = ["-newkey", "rsa:2048", "-nodes", "-days", "2"]
        try run(
            "openssl",
            ["req", "-x509", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=test authority"]
                + key, in: folder)
        try run(
            "openssl",
            ["req", "-new", "-keyout", "redis.key", "-out", "redis.csr", "-subj", "/CN=localhost"]
                + key.dropLast(2), in: folder)
        try run(
            "openssl",
            ["x509", "-req", "-in", "redis.csr", "-CA", "ca.pem", "-CAkey", "ca.key"]
                + ["-CAcreateserial", "-days", "2", "-extfile", "names.cnf", "-out", "redis.pem"],
            in: folder)
        return Certificates(
            authority: folder.appendingPathComponent("ca.pem").path,
            certificate: folder.appendingPathComponent("redis.pem").path,
            key: folder.appendingPathComponent("redis.key").path)
    }
}

// MARK: - Processes

extension RedisServerProcess {
    private func waitUntilAccepting() throws {
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline {
            guard running.withLock({ $0?.server.isRunning ?? false }) else { break }
            if let socket = try? TCPSocket(), socket.connect(port: port) { return }
            usleep(5_000)
        }
        throw Failure(description: "redis-server did not start:\n\(log)")
    }

    private static func process(
        _ program: String, _ arguments: [String], in folder: URL
    ) throws -> Process {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        let paths = folders.map { "\($0)/\(program)" }
        guard let path = paths.first(where: FileManager.default.isExecutableFile(atPath:)) else {
            throw Failure(description: "\(program) is not installed")
        }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: path)
        process.arguments = arguments
        process.currentDirectoryURL = folder
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        return process
    }

    private static func run(_ program: String, _ arguments: [String], in folder: URL) throws {
        let process = try process(program, arguments, in: folder)
        try process.run()
        while process.isRunning { usleep(1_000) }
        guard process.terminationStatus == 0 else {
            throw Failure(description: "\(program) \(arguments.joined(separator: " ")) failed")
        }
    }

    /// Ends `pid` when this process ends in any way: its end closes the pipe that `read` waits on.
    private static func watchdog(of pid: Int32) throws -> Process {
        let watchdog = try process(
            "sh", ["-c", "read _; kill -9 \(pid)"],
            in: FileManager.default.temporaryDirectory)
        watchdog.standardInput = Pipe()
        try watchdog.run()
        return watchdog
    }
}

/// The few socket calls that a port check needs.
private struct TCPSocket: ~Copyable {
    private let descriptor: Int32

    init() throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        guard descriptor >= 0 else { throw RedisServerProcess.Failure(description: "no socket") }
    }

    deinit { _ = Foundation.close(descriptor) }

    func connect(port: Int) -> Bool {
        withAddress(port: port) { Foundation.connect(descriptor, $0, $1) == 0 }
    }

    /// Binds to a port that the kernel chooses.
    func bind() -> Int? {
        guard withAddress(port: 0, { Foundation.bind(descriptor, $0, $1) == 0 }) else { return nil }
        var address = sockaddr_in()
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let named = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length)
            }
        }
        return named == 0 ? Int(UInt16(bigEndian: address.sin_port)) : nil
    }

    private func withAddress(
        port: Int, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Bool
    ) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(clamping: port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let length = socklen_t(MemoryLayout<sockaddr_in>.size)
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }
}
