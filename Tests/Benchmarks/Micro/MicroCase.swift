/// One thing that is measured: `prepare` makes what it works on, the function that it returns does
/// the work so often.
struct MicroCase: Sendable {
    let name: String
    /// What one iteration is, for the table.
    let unit: String
    /// So often is it done in the two runs whose difference counts.
    let iterations: (few: Int, many: Int)
    let prepare: @Sendable () throws -> (Int) throws -> Void
}

/// Keeps the compiler from leaving out work whose result nobody reads.
@inline(never) @_optimize(none) func keep<Value>(_ value: Value) {}

struct MicroError: Error, CustomStringConvertible {
    let description: String
}
