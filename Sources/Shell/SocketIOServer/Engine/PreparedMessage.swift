import EngineIO
import NIOConcurrencyHelpers
import NIOCore
import WebSocket

/// One message encoded once for all its recipients.
///
/// Holds complete WebSocket frames, which are the same for every client because a server does not
/// mask; and the payloads, which long polling encodes. The text is a slice of the frames: a
/// message is in memory once, however many sessions queue it.
public struct PreparedMessage: Sendable {
    /// The text frame (`4` and the text) and one binary frame for each attachment.
    package let webSocketFrames: ByteBuffer
    /// The text without the Engine.IO packet type.
    package let text: ByteBuffer
    package let attachments: [ByteBuffer]
    /// Where the frames of Engine.IO 3 are kept; nil where they are the same, as without
    /// attachments.
    private let revision3Frames: NIOLockedValueBox<ByteBuffer?>?

    /// - Parameters:
    ///   - text: payload of the text message (for Socket.IO the encoded packet), valid UTF-8.
    ///   - attachments: binary messages that follow it.
    public init(text: some Collection<UInt8>, attachments: [ByteBuffer] = []) {
        let size = text.count
        var frames = Self.allocate(text: size, attachments)
        frames.writeFrameHeader(.text, payload: size + 1)
        frames.writeInteger(UInt8(ascii: "4"))
        frames.writeBytes(text)
        self.init(frames, textSize: size, attachments)
    }

    /// As `init(text:attachments:)` for any bytes, without another copy on the way.
    public init(text: ByteBuffer, attachments: [ByteBuffer] = []) {
        let size = text.readableBytes
        var frames = Self.allocate(text: size, attachments)
        frames.writeFrameHeader(.text, payload: size + 1)
        frames.writeInteger(UInt8(ascii: "4"))
        frames.writeImmutableBuffer(text)
        self.init(frames, textSize: size, attachments)
    }

    private init(_ frames: ByteBuffer, textSize: Int, _ attachments: [ByteBuffer]) {
        var frames = frames
        text =
            frames.getSlice(at: frames.writerIndex - textSize, length: textSize) ?? ByteBuffer()
        for attachment in attachments {
            frames.writeFrameHeader(.binary, payload: attachment.readableBytes)
            frames.writeImmutableBuffer(attachment)
        }
        webSocketFrames = frames
        self.attachments = attachments
        revision3Frames = attachments.isEmpty ? nil : NIOLockedValueBox(nil)
    }

    /// The frames for a session of that form. Those of revision 3 are made for the first session
    /// that asks, and shared by the next.
    func frames(_ form: WireForm) -> ByteBuffer {
        guard form != .four, let kept = revision3Frames else { return webSocketFrames }
        guard form == .three else { return makeFrames(form) }
        return kept.withLockedValue { kept in
            let frames = kept ?? makeFrames(form)
            kept = frames
            return frames
        }
    }

    private func makeFrames(_ form: WireForm) -> ByteBuffer {
        var frames = OutgoingPacket.text(.message, text).frame(form)
        for attachment in attachments {
            frames.writeImmutableBuffer(OutgoingPacket.binary(attachment).frame(form))
        }
        return frames
    }

    /// Bytes that the message adds to a session's queue.
    public var byteCount: Int { webSocketFrames.readableBytes }

    private static func allocate(text size: Int, _ attachments: [ByteBuffer]) -> ByteBuffer {
        let header = FrameHeader.maxEncodedSize
        let total = attachments.reduce(size + 1 + header) { $0 + $1.readableBytes + header }
        return ByteBufferAllocator().buffer(capacity: total)
    }
}
