// swift-tools-version: 6.2
import PackageDescription

// Warnings are errors, and the language features that the next Swift turns on are on already.
let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

let strictC: [CSetting] = [.enableWarning("all"), .enableWarning("extra"), .treatAllWarnings(as: .error)]

// A connector is one static file: its hash then covers every byte that runs, and it starts under a ruleset that lets
// it open nothing else. Release builds are position-independent too (address-space randomisation); build them with
// `--disable-local-rpath`, because glibc's self-relocation of a static PIE refuses the `$ORIGIN` path that SwiftPM adds.
let staticConnector: [LinkerSetting] = [
    .unsafeFlags(["-static-executable"], .when(configuration: .debug)),
    .unsafeFlags(
        [
            "-static-executable", "-use-ld=lld", "-Xclang-linker", "-static-pie", "-Xlinker", "-s", "-Xlinker",
            "--gc-sections",
        ],
        .when(configuration: .release)),
]

func connector(_ name: String, path: String) -> Target {
    .executableTarget(
        name: "trstctl-connector-\(name)", dependencies: ["TrstctlConnector"], path: path,
        swiftSettings: strict, linkerSettings: staticConnector)
}

func tests(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .testTarget(
        name: name,
        dependencies: dependencies + ["TrstctlTestSupport", "TrstctlSystem", "TrstctlCrypto", "CTrstctlSystem"],
        swiftSettings: strict)
}

let package = Package(
    name: "trstctl",
    products: [
        .executable(name: "trstctl", targets: ["trstctl"]),
        .library(name: "TrstctlConnector", targets: ["TrstctlConnector"]),
        .library(name: "TrstctlHost", targets: ["TrstctlHost"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        // System libraries.
        .systemLibrary(
            name: "CProtobufC", pkgConfig: "libprotobuf-c", providers: [.apt(["libprotobuf-c-dev"])]),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),

        // C: generated code, the spawn function, and system calls that Glibc's Swift module lacks.
        .target(name: "CTrstctlProtocol", dependencies: ["CProtobufC"]),
        .target(name: "CTrstctlSystem", cSettings: strictC),
        .target(name: "CTrstctlSandbox", cSettings: strictC),
        // libcurl's headers at build time; the library itself is loaded when it is needed (libcurl4-openssl-dev).
        .target(name: "CTrstctlCurl", cSettings: strictC, linkerSettings: [.linkedLibrary("dl")]),

        // What every room stands on: descriptors, deadlines, bytes; and the starting and reaping of processes.
        .target(name: "TrstctlSystem", dependencies: ["CTrstctlSystem"], swiftSettings: strict),
        .target(
            name: "TrstctlProcess", dependencies: ["TrstctlSystem", "CTrstctlSystem", "CTrstctlSandbox"],
            swiftSettings: strict),
        .target(name: "TrstctlCrypto", dependencies: ["TrstctlSystem", "COpenSSL"], swiftSettings: strict),

        // The rooms, in the order data flows.
        .target(
            name: "TrstctlWire",
            dependencies: ["CTrstctlProtocol", "CProtobufC", "TrstctlSystem"], swiftSettings: strict),
        .target(
            name: "TrstctlConnector", dependencies: ["TrstctlWire", "TrstctlSystem", "CTrstctlSystem"],
            swiftSettings: strict),
        .target(name: "TrstctlPolicy", dependencies: ["TrstctlWire", "TrstctlSystem"], swiftSettings: strict),
        .target(
            name: "TrstctlLaunch",
            dependencies: [
                "TrstctlPolicy", "TrstctlWire", "TrstctlProcess", "TrstctlSystem", "TrstctlCrypto", "CTrstctlSystem",
                "COpenSSL",
            ],
            swiftSettings: strict),
        .target(
            name: "TrstctlBroker",
            dependencies: [
                "TrstctlPolicy", "TrstctlWire", "TrstctlProcess", "TrstctlSystem", "TrstctlCrypto", "CTrstctlSystem",
                "COpenSSL", "CTrstctlCurl",
            ],
            swiftSettings: strict),
        .target(
            name: "TrstctlHost",
            dependencies: [
                "TrstctlLaunch", "TrstctlBroker", "TrstctlPolicy", "TrstctlWire", "TrstctlProcess", "TrstctlSystem",
                "TrstctlCrypto", "COpenSSL", "CTrstctlSystem",
                .product(name: "Yams", package: "Yams"),
            ],
            swiftSettings: strict),
        .target(
            name: "TrstctlConformance", dependencies: ["TrstctlHost", "TrstctlWire", "TrstctlSystem"],
            swiftSettings: strict),
        .executableTarget(
            name: "trstctl",
            dependencies: [
                "TrstctlHost", "TrstctlConformance", "TrstctlCrypto", "TrstctlSystem", "CTrstctlSystem",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: strict),

        // Connectors: one folder each.
        connector("nginx", path: "plugins/nginx"),
        connector("echo", path: "plugins/echo"),

        // Measures sessions; scripts/bench runs it beside Benchmarks/pingpong.c.
        .executableTarget(
            name: "trstctl-bench",
            dependencies: [
                "TrstctlLaunch", "TrstctlBroker", "TrstctlPolicy", "TrstctlWire", "TrstctlSystem", "CTrstctlSystem",
            ],
            path: "Benchmarks/trstctl-bench", swiftSettings: strict),

        // Tests.
        .target(
            name: "TrstctlTestSupport",
            dependencies: [
                "TrstctlHost", "TrstctlWire", "TrstctlSystem", "CTrstctlSystem", "TrstctlCrypto", "COpenSSL",
            ],
            path: "Tests/Support", swiftSettings: strict),
        // What libFuzzer calls, and ordinary tests replay the corpora with, see Tests/Fuzz/README.md.
        .target(
            name: "TrstctlFuzz",
            dependencies: [
                "TrstctlHost", "TrstctlLaunch", "TrstctlPolicy", "TrstctlWire", "TrstctlConformance", "TrstctlCrypto",
                "TrstctlSystem", "CTrstctlSystem",
            ],
            path: "Tests/Fuzz/Entries", swiftSettings: strict),
        .testTarget(
            name: "TrstctlFuzzTests", dependencies: ["TrstctlFuzz"], path: "Tests/Fuzz/Replay", swiftSettings: strict),
        tests("TrstctlWireTests", ["TrstctlWire", "TrstctlConformance"]),
        tests("TrstctlConnectorTests", ["TrstctlConnector", "TrstctlWire"]),
        tests("TrstctlPolicyTests", ["TrstctlPolicy", "TrstctlWire"]),
        tests(
            "TrstctlLaunchTests",
            ["TrstctlLaunch", "TrstctlProcess", "TrstctlWire", "TrstctlPolicy", "CTrstctlSandbox"]),
        tests("TrstctlBrokerTests", ["TrstctlBroker", "TrstctlProcess", "TrstctlWire", "TrstctlPolicy"]),
        tests("TrstctlHostTests", ["TrstctlHost", "TrstctlLaunch", "TrstctlBroker", "TrstctlWire", "TrstctlPolicy"]),
        // The executables are built beside the test bundle without being named here; naming them would link the
        // bundle with the connectors' static settings.
        tests("TrstctlIntegrationTests", ["TrstctlHost", "TrstctlLaunch", "TrstctlWire", "TrstctlPolicy"]),
        connector("request", path: "Tests/Fixtures/Connectors/Request"),
    ]
)

// It links only with -sanitize=fuzzer, which scripts/soak passes.
if Context.environment["TRSTCTL_FUZZ"] != nil {
    package.targets.append(
        .executableTarget(
            name: "trstctl-fuzz", dependencies: ["TrstctlFuzz"], path: "Tests/Fuzz/Driver", swiftSettings: strict))
}
