import Foundation
import JSON
import Logging

/// One JSON object a line on standard error: `time`, `level`, `logger`, `message`, then metadata.
struct JSONLogHandler: LogHandler {
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    private let label: String

    init(label: String, level: Logger.Level) {
        self.label = label
        logLevel = level
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        var members = JSONMembers([
            ("time", .string(Date().formatted(.iso8601.time(includingFractionalSeconds: true)))),
            ("level", .string(event.level.rawValue)), ("logger", .string(label)),
            ("message", .string(event.message.description)),
        ])
        for (key, value) in metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }) {
            members.append(key, .string("\(value)"))
        }
        let line = JSONValue.object(members).encoded + [UInt8(ascii: "\n")]
        try? FileHandle.standardError.write(contentsOf: line)
    }
}
