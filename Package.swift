// swift-tools-version: 6.2
import PackageDescription

/// The same strictness in every room.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
    .treatWarning("ExplicitSendable", as: .error),
]

func room(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: strict)
}

func tests(_ name: String, _ dependencies: [Target.Dependency] = [], resources: [Resource] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.init(stringLiteral: name), "NightjarTesting"] + dependencies,
        resources: resources,
        swiftSettings: strict
    )
}

let package = Package(
    name: "nightjar",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "nightjar", targets: ["NightjarCLI"]),
        .library(name: "Nightjar", targets: ["Nightjar"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", exact: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", exact: "2.13.0"),
        .package(url: "https://github.com/apple/swift-distributed-tracing", exact: "1.7.3"),
        .package(url: "https://github.com/apple/swift-nio", exact: "2.101.2"),
        .package(url: "https://github.com/apple/swift-http-types", exact: "1.8.0"),
        .package(url: "https://github.com/groue/GRDB.swift", exact: "7.10.0"),
        .package(url: "https://github.com/jpsim/Yams", exact: "6.2.2"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", exact: "2.28.1", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", exact: "2.13.0"),
    ],
    targets: [
        .systemLibrary(name: "CLua", providers: [.apt(["liblua5.4-dev"])]),
        .systemLibrary(name: "CZlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CNightjarSignals"),
        .target(
            name: "CNightjarLua",
            dependencies: ["CLua", "CNightjarSignals"],
            linkerSettings: [
                // The static archive is 15-18 % faster than the shared library on calls through the API.
                .linkedLibrary(":liblua5.4.a"), .linkedLibrary("m"), .linkedLibrary("dl"),
            ]
        ),

        room("NightjarSignals", ["CNightjarSignals"]),
        room(
            "NightjarBus",
            [
                "NightjarSignals", "CNightjarSignals",
                .product(name: "Instrumentation", package: "swift-distributed-tracing"),
            ]
        ),

        room("NightjarExtraction", ["NightjarBus", "NightjarSignals", "CNightjarSignals"]),
        room("NightjarOTLP", ["NightjarBus", "NightjarSignals", "CNightjarSignals", "CZlib"]),
        room("NightjarPlugins", ["NightjarBus", "NightjarSignals", "CNightjarSignals", "CNightjarLua"]),
        room(
            "NightjarStore",
            [
                "NightjarBus", "NightjarSignals",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]
        ),
        room("NightjarExporters", ["NightjarBus", "NightjarSignals", "NightjarOTLP"]),

        room(
            "Nightjar",
            [
                "NightjarBus", "NightjarSignals", "CNightjarSignals", "NightjarExtraction", "NightjarOTLP",
                "NightjarPlugins", "NightjarStore", "NightjarExporters",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]
        ),
        room(
            "NightjarServer",
            [
                "Nightjar", "NightjarBus", "NightjarSignals", "NightjarOTLP", "NightjarStore",
                "NightjarExporters", "NightjarPlugins",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Yams", package: "Yams"),
            ]
        ),
        .executableTarget(
            name: "NightjarCLI",
            dependencies: [
                "Nightjar", "NightjarServer", "NightjarBus", "NightjarSignals", "NightjarPlugins",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strict
        ),

        .target(
            name: "CStockLua",
            dependencies: ["CLua"],
            path: "Tests/StockLua",
            linkerSettings: [.linkedLibrary(":liblua5.4.a"), .linkedLibrary("m"), .linkedLibrary("dl")]
        ),
        room("NightjarTesting", ["NightjarBus", "NightjarSignals", "CNightjarSignals"]),
        .target(
            name: "CNightjarBench",
            dependencies: [
                "CLua", "CNightjarSignals", .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ]
        ),
        .executableTarget(
            name: "NightjarBench",
            dependencies: [
                "CNightjarBench", "Nightjar", "NightjarBus", "NightjarSignals",
                "CNightjarSignals", "NightjarExtraction",
                "NightjarOTLP", "NightjarPlugins", "NightjarStore", "NightjarTesting",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "GRDBSQLite", package: "GRDB.swift"),
            ],
            swiftSettings: strict
        ),

        tests("NightjarSignals", ["CNightjarSignals"]),
        tests("NightjarBus", ["NightjarSignals", "CNightjarSignals"], resources: [.copy("Cases")]),
        tests(
            "NightjarExtraction",
            ["NightjarBus", "NightjarSignals", "CNightjarSignals"],
            resources: [.copy("Cases")]
        ),
        tests("NightjarExporters", ["NightjarBus", "NightjarSignals", "NightjarOTLP"]),
        tests(
            "NightjarOTLP",
            ["NightjarBus", "NightjarSignals", "CNightjarSignals"],
            resources: [.copy("Captures")]
        ),
        tests(
            "NightjarPlugins",
            ["NightjarBus", "NightjarSignals", "CNightjarSignals", "CNightjarLua", "CStockLua"],
            resources: [.copy("Hostile"), .copy("Differential")]
        ),
        tests(
            "NightjarStore",
            ["NightjarBus", "NightjarSignals", .product(name: "GRDB", package: "GRDB.swift")]
        ),
        tests(
            "Nightjar",
            [
                "NightjarBus", "NightjarSignals", "NightjarExporters", "NightjarPlugins", "NightjarStore",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "CoreMetrics", package: "swift-metrics"),
                .product(name: "Tracing", package: "swift-distributed-tracing"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ]
        ),
        tests(
            "NightjarServer",
            [
                "Nightjar", "NightjarBus", "NightjarPlugins", "NightjarSignals", "NightjarStore",
                "NightjarCLI", "NightjarOTLP",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "GRDB", package: "GRDB.swift"),
            ]
        ),
        tests("NightjarBench"),
        .testTarget(
            name: "NightjarTestingTests",
            dependencies: ["NightjarTesting", "NightjarSignals"],
            swiftSettings: strict
        ),
    ],
    swiftLanguageModes: [.v6]
)
