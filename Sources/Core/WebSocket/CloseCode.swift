/// Status codes of close frames (RFC 6455 § 7.4 and the IANA registry).
package enum CloseCode {
    package static let normal: UInt16 = 1000
    package static let goingAway: UInt16 = 1001
    package static let protocolError: UInt16 = 1002
    package static let invalidPayload: UInt16 = 1007
    package static let messageTooBig: UInt16 = 1009
    package static let serviceRestart: UInt16 = 1012
    package static let tryAgainLater: UInt16 = 1013

    /// Whether a peer may send the code. 1004, 1005, 1006 and 1015 never travel; what is not
    /// registered below 3000 is an error.
    package static func mayBeReceived(_ code: UInt16) -> Bool {
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: true
        default: false
        }
    }

    /// The payload of a close frame.
    ///
    /// - Parameter reason: cut at a character's end to the 123 bytes that fit.
    package static func payload(_ code: UInt16, reason: String = "") -> [UInt8] {
        var payload = [UInt8(code >> 8), UInt8(code & 0xFF)]
        for character in reason {
            let bytes = character.utf8
            if payload.count + bytes.count > 125 { break }
            payload.append(contentsOf: bytes)
        }
        return payload
    }
}
