// `JSONValue` and `JSONText` are the arguments of events: whoever imports this module has them.
@_exported public import JSON
