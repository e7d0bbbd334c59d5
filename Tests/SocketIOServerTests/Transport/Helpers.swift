import NIOCore

@testable import SocketIOServer

extension String {
    var buffer: ByteBuffer { ByteBuffer(string: self) }
}

extension EventLoop {
    /// Returns once a poll of the session waits at the server.
    func untilPolling(_ session: any EngineSession) async throws {
        try await until { (session as? ServerSession)?.waitingPoll != nil }
    }

    /// Returns once a post of the session is being read.
    func untilPosting(_ session: any EngineSession) async throws {
        try await until { (session as? ServerSession)?.postingExchange != nil }
    }

    /// Looks once a turn of the loop; the time limit of the suite is the bound.
    func until(_ condition: @escaping @Sendable () -> Bool) async throws {
        while try await !submit(condition).get() { await Task.yield() }
    }
}
