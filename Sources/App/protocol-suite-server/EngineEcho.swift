import NIOCore
import SocketIOServer

/// Sends back every message of a bare Engine.IO session, text as text and binary as binary.
final class EngineEcho: EngineSessionDelegate {
    func engineSession(_ session: any EngineSession, received text: ArraySlice<UInt8>) {
        session.send(.text(ByteBuffer(bytes: text)))
    }

    func engineSession(_ session: any EngineSession, receivedBinary bytes: ArraySlice<UInt8>) {
        session.send(.binary(ByteBuffer(bytes: bytes)))
    }

    func engineSession(_ session: any EngineSession, closed reason: EngineCloseReason) {}
}
