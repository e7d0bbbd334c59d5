// swift-tools-version: 6.1
import PackageDescription

// The house: imports point one way, System ← Core ← Shell ← App (docs/ARCHITECTURE.md).

func system(_ name: String, pkgConfig: String, apt: String) -> Target {
    .systemLibrary(
        name: name, path: "Sources/System/\(name)", pkgConfig: pkgConfig,
        providers: [.apt([apt])])
}

/// A module over a header of the C library.
func system(_ name: String) -> Target {
    .systemLibrary(name: name, path: "Sources/System/\(name)")
}

func core(_ name: String, _ dependencies: [Target.Dependency] = []) -> [Target] {
    module(name, in: "Core", dependencies)
}

func shell(_ name: String, _ dependencies: [Target.Dependency] = []) -> [Target] {
    module(name, in: "Shell", dependencies)
}

func module(
    _ name: String, in ring: String, _ dependencies: [Target.Dependency]
) -> [Target] {
    [
        .target(name: name, dependencies: dependencies, path: "Sources/\(ring)/\(name)"),
        .testTarget(
            name: "\(name)Tests",
            dependencies: [.init(stringLiteral: name), "TestKit"] + dependencies,
            path: "Tests/\(name)Tests"),
    ]
}

let nio: [Target.Dependency] = [
    .product(name: "NIOCore", package: "swift-nio"),
    .product(name: "NIOPosix", package: "swift-nio"),
    .product(name: "NIOEmbedded", package: "swift-nio"),
    .product(name: "NIOConcurrencyHelpers", package: "swift-nio"),
]
let nioHTTP: Target.Dependency = .product(name: "NIOHTTP1", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let atomics: Target.Dependency = .product(name: "Atomics", package: "swift-atomics")
let histogram: Target.Dependency = .product(name: "Histogram", package: "hdrhistogram-swift")

var targets: [Target] = [
    system("CHiredis", pkgConfig: "hiredis", apt: "libhiredis-dev"),
    system("COpenSSL", pkgConfig: "libcrypto", apt: "libssl-dev"),
    system("CEpoll"),
    .target(name: "TestKit", dependencies: nio, path: "Tests/TestKit"),
]
targets += core("JSON")
targets += core("WebSocket")
targets += core("HashRing")
targets += core("EngineIO")
targets += core("SocketIO", ["JSON"])
targets += core("Rooms", ["JSON"])
targets += core("Cluster", ["HashRing"])
targets += shell("Secrets", ["COpenSSL"] + nio)
targets += shell(
    "SocketIOServer",
    ["JSON", "WebSocket", "EngineIO", "SocketIO", nioHTTP, logging, atomics] + nio)
targets += shell("Redis", ["CHiredis", nioSSL, logging] + nio)
targets += shell(
    "Relay", ["JSON", "SocketIO", "SocketIOServer", "Redis", nioHTTP, logging] + nio)
targets += shell("RoomStore", ["JSON", "Rooms", "Redis", logging] + nio)
targets += shell(
    "RoomService",
    ["JSON", "Rooms", "RoomStore", "SocketIOServer", "Cluster", "Secrets", logging, nioHTTP] + nio)
targets.append(
    .target(
        name: "Web", path: "Sources/Web",
        resources: [.embedInCode("index.html"), .embedInCode("assets")]))
targets += shell(
    "HTTPAPI",
    ["JSON", "Web", "SocketIOServer", "Cluster", "Secrets", logging, nioHTTP, atomics] + nio)
targets += shell("LoadTool", ["CEpoll", "JSON", "WebSocket", histogram])
targets += [
    .executableTarget(
        name: "tandem",
        dependencies: [
            "JSON", "Rooms", "RoomStore", "RoomService", "SocketIOServer", "HTTPAPI", "Redis",
            "Relay", "Cluster", "HashRing", "Secrets", "LoadTool", logging,
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
            .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        ] + nio,
        path: "Sources/App/tandem"),
    .testTarget(
        name: "tandemTests",
        dependencies: ["tandem", "TestKit", "Cluster", "Redis", "RoomService", "SocketIOServer"],
        path: "Tests/tandemTests"),
]

// Programs on the public API alone: `packageAccess: false` hides the rest from the compiler.
targets += [
    .executableTarget(
        name: "protocol-suite-server",
        dependencies: [
            "SocketIOServer", logging,
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
            .product(name: "ArgumentParser", package: "swift-argument-parser"),
            .product(name: "UnixSignals", package: "swift-service-lifecycle"),
        ],
        path: "Sources/App/protocol-suite-server", packageAccess: false),
    .executableTarget(
        name: "EmbeddedServer",
        dependencies: [
            "SocketIOServer", logging, .product(name: "NIOPosix", package: "swift-nio"),
        ],
        path: "Examples/EmbeddedServer", packageAccess: false),
    .target(
        name: "WireKit",
        dependencies: [
            .product(name: "NIOCore", package: "swift-nio"),
            .product(name: "NIOPosix", package: "swift-nio"),
        ],
        path: "Tests/WireKit"),
    .testTarget(
        name: "ProtocolSuiteTests", dependencies: ["WireKit", "protocol-suite-server"],
        path: "Tests/ProtocolSuiteTests"),
    .testTarget(
        name: "EmbeddedServerTests", dependencies: ["WireKit", "EmbeddedServer"],
        path: "Tests/EmbeddedServerTests"),
]

// Instances, store, network and clients as values on one seed (docs/SIMULATION.md).
targets += [
    .target(
        name: "Simulation",
        dependencies: [
            "JSON", "Rooms", "RoomStore", "RoomService", "SocketIOServer", "Cluster", "Secrets",
            "TestKit", nioHTTP, logging,
        ] + nio,
        path: "Tests/Simulation/World"),
    .executableTarget(
        name: "simulate",
        dependencies: [
            "Simulation", .product(name: "ArgumentParser", package: "swift-argument-parser"),
        ],
        path: "Tests/Simulation/Command"),
    .testTarget(
        name: "SimulationTests", dependencies: ["Simulation", "simulate", "WireKit"],
        path: "Tests/Simulation/Tests"),
]

// With TANDEM_FUZZ set this is the package of the fuzzer alone (docs/FUZZING.md): everything that it
// reaches is built with coverage and the address sanitizer, and the tests are left out.
let fuzzing = Context.environment["TANDEM_FUZZ"] != nil
let fuzzed: [Target.Dependency] = [
    "JSON", "WebSocket", "EngineIO", "SocketIO", "Rooms", "Cluster", "Redis", "RoomStore",
    "RoomService", "Relay", "Secrets", "SocketIOServer", "tandem", "TestKit", logging, nioHTTP,
]
let notSettings = [
    "Bench", "CheckConfigCommand.swift", "ConfigurationOptions.swift", "RingCommand.swift",
    "ServeCommand.swift", "Server", "Tandem.swift",
]
if fuzzing {
    let left = ["WireKit", "Simulation"]
    targets.removeAll { $0.type == .test || $0.type == .executable || left.contains($0.name) }
    targets += [
        .target(
            name: "tandem",
            dependencies: ["Cluster", "Redis", "RoomService", "SocketIOServer", logging] + nio,
            path: "Sources/App/tandem", exclude: notSettings, sources: ["Settings"]),
        .executableTarget(
            name: "fuzz", dependencies: fuzzed + nio, path: "Tests/Fuzzing",
            exclude: ["Corpus", "Dictionaries", "Tests"], sources: ["Targets", "Runner"]),
    ]
} else {
    targets += [
        .testTarget(
            name: "FuzzTests", dependencies: fuzzed + nio, path: "Tests/Fuzzing",
            exclude: ["Corpus", "Dictionaries", "Runner"],
            sources: ["Targets", "Tests"])
    ]
}

// With TANDEM_BENCHMARKS set there is also what counts instructions (docs/PERFORMANCE.md): a
// program of its own, which nothing else needs to build.
if Context.environment["TANDEM_BENCHMARKS"] != nil {
    targets.append(
        .executableTarget(
            name: "micro-benchmarks",
            dependencies: [
                "JSON", "WebSocket", "HashRing", "SocketIO", "Rooms", "RoomStore",
                "SocketIOServer", logging,
            ] + nio,
            path: "Tests/Benchmarks/Micro", exclude: ["allocations.c"]))
}

for target in targets where target.type != .system {
    target.swiftSettings = [.swiftLanguageMode(.v6), .enableUpcomingFeature("ExistentialAny")]
    guard fuzzing else { continue }
    target.swiftSettings?.append(
        .unsafeFlags(["-sanitize=fuzzer,address", "-enable-testing"]))
    if target.type == .executable {
        target.linkerSettings = [
            .unsafeFlags(["-sanitize=fuzzer,address", "-use-ld=lld"])
        ]
    }
}

let package = Package(
    name: "tandem",
    products: fuzzing
        ? [.executable(name: "fuzz", targets: ["fuzz"])]
        : [
            .executable(name: "tandem", targets: ["tandem"]),
            .executable(name: "protocol-suite-server", targets: ["protocol-suite-server"]),
            .executable(name: "simulate", targets: ["simulate"]),
            .library(name: "SocketIOServer", targets: ["SocketIOServer"]),
        ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-atomics", from: "1.3.0"),
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
    ],
    targets: targets
)
