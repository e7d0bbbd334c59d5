/// What is measured: name, kind and help of one metric. All of them are in Metrics.swift.
package struct Metric: Sendable, Hashable {
    package enum Kind: String, Sendable, Hashable {
        /// A sum that only rises; its name ends in `_total`.
        case counter
        case gauge
        case histogram
    }

    package let name: String
    package let kind: Kind
    /// One line, unit included.
    package let help: String

    init(_ name: String, _ kind: Kind, _ help: String) {
        self.name = name
        self.kind = kind
        self.help = help
    }
}
