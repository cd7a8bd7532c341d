import Nightjar
import NightjarBus
import NightjarPlugins
import NightjarServer
import NightjarSignals
import NightjarStore
import Testing

/// How the configuration is read from options, environment and file.
@Suite struct ConfigurationTests {
    private func resolve(
        _ yaml: String = "",
        environment: [String: String] = [:],
        flags: [String: String] = [:]
    ) throws(ConfigurationFaults) -> ResolvedConfiguration {
        var sources = ConfigurationSources()
        if !yaml.isEmpty { sources.file = ("nightjar.yaml", yaml) }
        sources.environment = environment
        sources.flags = flags
        return try ResolvedConfiguration(sources, engine: EngineConfiguration(cores: 2))
    }

    private func faults(_ yaml: String, environment: [String: String] = [:]) -> [String] {
        do throws(ConfigurationFaults) {
            _ = try resolve(yaml, environment: environment)
            return []
        } catch {
            return error.faults.map(\.description)
        }
    }

    @Test(arguments: [
        (nil, nil, nil, "127.0.0.1:4318", "default"),
        ("127.0.0.1:1", nil, nil, "127.0.0.1:1", "nightjar.yaml:2"),
        ("127.0.0.1:1", "127.0.0.1:2", nil, "127.0.0.1:2", "NIGHTJAR_LISTEN"),
        ("127.0.0.1:1", "127.0.0.1:2", "[::1]:3", "[::1]:3", "--listen"),
        ("127.0.0.1:1", "", nil, "127.0.0.1:1", "nightjar.yaml:2"),
    ])
    func `options come before variables, variables before the file, the file before the defaults`(
        _ file: String?,
        _ variable: String?,
        _ flag: String?,
        _ value: String,
        _ place: String
    ) throws {
        let resolved = try resolve(
            file.map { "# where\nlisten: \"\($0)\"\n" } ?? "",
            environment: variable.map { ["NIGHTJAR_LISTEN": $0] } ?? [:],
            flags: flag.map { ["listen": $0] } ?? [:]
        )
        #expect(resolved.origin(of: "listen").description == place)
        let address = ListenAddress(host: resolved.server.host, port: resolved.server.port)
        #expect(address.description == value)
    }

    @Test func `what nobody sets has its default, and is shown so`() throws {
        #expect(try resolve().yaml == Golden.standard)
        // A file of comments only, and sections with nothing below them, set nothing.
        #expect(try resolve("# nothing yet\n").yaml == Golden.standard)
        #expect(try resolve("metrics:\ntrace:\n").yaml == Golden.standard)
    }

    @Test func `what is set is shown with its place, without secrets`() throws {
        let resolved = try resolve(
            Golden.file,
            environment: [
                "NIGHTJAR_PLUGINS_DIR": "rules", "NIGHTJAR_METRICS_CARDINALITY_CARDINALITYLIMIT": "50",
                "NIGHTJAR_REDACTION_KEYS": "password, card", "HOME": "/root",
                "NIGHTJAR_RETENTION_METRICS": "1h",
            ],
            flags: ["db": "none", "logLevel": "warning", "plugins.testOnReload": "true"]
        )
        #expect(resolved.yaml == Golden.shown)
        #expect(!resolved.yaml.contains("s3cr3t"))
    }

    @Test func `what is shown can be used as a file and says the same`() throws {
        let first = try resolve(Golden.file)
        let second = try resolve(first.yaml)
        let values = [first, second].map { $0.yaml.replacing(#/ +# .+/#, with: "") }
        #expect(values[0] == values[1])
        #expect(second.server.engine.cardinality == first.server.engine.cardinality)
        #expect(second.server.engine.buckets == first.server.engine.buckets)
        #expect(second.server.engine.plugins?.settings == first.server.engine.plugins?.settings)
    }

    @Test func `every value arrives where it is used`() throws {
        var resolved = try resolve(Golden.file)
        resolved.server.exporters = []
        let engine = try resolved.engineConfiguration()
        #expect(resolved.server.bodyBytes == 8 << 20)
        #expect(engine.store == .file("data/n.db"))
        #expect(engine.bus.logLevel == .debug)
        #expect(engine.metricsPrefix == "shop_")
        #expect(engine.disabledMetrics == ["mastra_scores_total"])
        #expect(engine.buckets == BucketConfiguration(["_ms": [1, 2.5, 1000]]))
        #expect(engine.cardinality.blockedLabels.isEmpty)
        #expect(engine.cardinality.allowedLabels == ["user_id"])
        #expect(!engine.cardinality.blockUUIDs)
        #expect(engine.cardinality.cardinalityLimit == 100)
        var policy = LabelPolicy()
        policy.allow = ["agent", "status"]
        policy.block = ["env"]
        policy.cardinalityLimit = 10
        policy.maximumValueLength = 20
        #expect(engine.cardinality.perMetric == ["shop_mastra_agent_runs_ended": policy])
        #expect(engine.trace.idlePeriod == .milliseconds(250))
        #expect(engine.trace.idleTimeout == .seconds(90))
        #expect(engine.trace.maxAge == .seconds(7200))
        #expect(engine.trace.parentWait == .seconds(7200), "as long as a trace may last")
        #expect(engine.sampling.count == 1)
        #expect(!engine.redaction.isEnabled)
        #expect(engine.redaction.keys == ["card"])
        #expect(engine.redaction.style == .pseudonymise)
        #expect(engine.queueBytes == 32 << 20)
        #expect(engine.bus.queueBytes == 16 << 20)
        #expect(engine.bus.whenFull == .block)
        #expect(engine.valueBytes == 4096)
        let plugins = try #require(engine.plugins)
        #expect(plugins.folder == "plugins")
        #expect(plugins.disabled == ["draft", "old-one"])
        let settings: Value.Object = [
            "threshold_ms": 2500, "word": "12", "ratio": 0.5, "on": true, "list": ["a", 1],
        ]
        #expect(plugins.settings == ["slow_tools": settings])
        var limits = PluginLimits()
        (limits.memoryBytes, limits.callTime, limits.loadTime) = (16 << 20, .milliseconds(20), .seconds(5))
        (limits.fuel, limits.emissions, limits.share) = (1_000_000, 10, 0.5)
        #expect(plugins.limits == limits)
        let level = try resolve("logLevel: error\nmetrics: {enabled: false}").engineConfiguration()
        #expect(level.bus.logLevel == .error)
        #expect(level.disabledMetrics == Set(EngineConfiguration.builtInMetricNames))
    }

    @Test func `exporters are read with what their type has`() throws {
        let exporters = try resolve(Golden.file).server.exporters
        var collector = ExporterConfiguration(type: .otlp)
        collector.endpoint = "https://collector.example:4318"
        collector.headers = ["authorization": "Bearer s3cr3t"]
        var lines = ExporterConfiguration(type: .json)
        lines.path = "out/signals.jsonl"
        var console = ExporterConfiguration(type: .console)
        console.level = .warn
        #expect(exporters == [console, lines, collector, ExporterConfiguration(type: .console)])
        #expect(exporters.named.map(\.name) == ["console", "json", "otlp", "console_2"])
    }

    @Test func `the exporters of the configuration are made, and one that cannot be stops the start`() throws
    {
        let resolved = try resolve(
            "listen: 127.0.0.1:0\nexporters: [{type: console}, {type: json, path: /tmp/events.jsonl, level: warn}]"
        )
        let exporters = try resolved.engineConfiguration().exporters
        #expect(exporters.map(\.name) == ["console", "json"])
        #expect((exporters.last as? any LogExporter)?.logLevel == .warn)
    }

    @Test(arguments: [
        (
            "listen: nowhere",
            "nightjar.yaml:1: listen: it is nowhere; write HOST:PORT, such as 127.0.0.1:4318"
        ),
        ("listen: ::1:80", "listen: it is \"::1:80\"; write HOST:PORT"),
        (
            "\ntrace:\n  idlePeriod: soon",
            "nightjar.yaml:3: trace.idlePeriod: it is soon; write a duration such as"
        ),
        ("trace: {maxAge: 10}", "trace.maxAge: it is 10; write a duration"),
        ("db:", "db: it is empty; write a text"),
        ("db: [a]", "db: it is a list; write a text"),
        ("logLevel: loud", "it is loud; write debug, info, warn, error or fatal"),
        ("metrics: {prefix: 1-}", "metrics.prefix: it is 1-; write letters"),
        ("metrics: {enabled: yes}", "metrics.enabled: it is \"yes\"; write true or false"),
        (
            "metrics: {disabled: mastra_scores_total}",
            "metrics.disabled: it is mastra_scores_total; write a list"
        ),
        (
            "metrics: {disabled: [mastra_score_total]}",
            "mastra_score_total is no built-in metric; did you mean mastra_scores_total?"
        ),
        ("metrics: {buckets: [1]}", "metrics.buckets: it is a list; write bounds by metric name"),
        ("metrics: {buckets: {_ms: [2, 1]}}", "metrics.buckets._ms: buckets must be ascending"),
        (
            "metrics: {buckets: {_ms: [one]}}",
            "metrics.buckets._ms: it is one; write a list of ascending numbers"
        ),
        ("metrics: {cardinality: {cardinalityLimit: 0}}", "it is 0; write a whole number from 1 on"),
        (
            "metrics: {cardinality: {blockedLabels: }}",
            "it is empty; write a list of texts, such as [one, two]"
        ),
        ("metrics: {cardinality: {perMetric: {a b: {}}}}", "this is no name of a metric"),
        ("metrics: {cardinality: {perMetric: {m: {allow: x}}}}", "perMetric.m.allow: it is x; write a list"),
        (
            "metrics: {cardinality: {perMetric: {m: {alow: [x]}}}}",
            "did you mean metrics.cardinality.perMetric.m.allow?"
        ),
        ("sampling: {type: sometimes}", "it is sometimes; write always, never or ratio"),
        ("sampling: {type: ratio, probability: 2}", "it is 2; write a number from 0 to 1"),
        ("sampling: {type: ratio}", "nightjar.yaml:1: sampling.type: ratio needs sampling.probability"),
        ("sampling: {probability: 0.5}", "sampling.probability: it does nothing without sampling.type"),
        ("redaction: {style: none}", "it is none; write full, partial or pseudonymise"),
        ("queue: {bytes: lots}", "it is lots; write a size such as 64MiB"),
        ("queue: {bytes: 64MB}", "it is 64MB; write a size such as 64MiB"),
        ("queue: {bytes: 9999999999GiB}", "write a size such as 64MiB"),
        ("plugins: {disabled: tone}", "plugins.disabled: it is tone; write a list of plugins"),
        ("plugins: {disabled: [Tone]}", "plugins.disabled: Tone is no name of a plugin; it has only a-z"),
        (
            "plugins: {settings: [tone]}",
            "plugins.settings: it is a list; write settings by the plugin's name"
        ),
        ("plugins: {settings: {a b: {c: 1}}}", "plugins.settings.a b: a b is no name of a plugin"),
        ("plugins: {settings: {a: 1}}", "plugins.settings.a: it is 1; write settings such as"),
        ("plugins: {limits: {memory: big}}", "plugins.limits.memory: it is big; write a size such as 64MiB"),
        ("plugins: {limits: {time: 0ms}}", "plugins.limits.time: it is 0ms; write a duration from 1ms on"),
        ("plugins: {limits: {loadTime: 2}}", "plugins.limits.loadTime: it is 2; write a duration"),
        (
            "plugins: {limits: {fuel: -1}}",
            "plugins.limits.fuel: it is \"-1\"; write a whole number from 1 on"
        ),
        ("plugins: {limits: {emissions: 0}}", "plugins.limits.emissions: it is 0; write a whole number"),
        ("plugins: {limits: {share: 20}}", "plugins.limits.share: it is 20; write a number from 0 to 1"),
        ("plugins: {limits: 3}", "plugins.limits: it is 3; write keys below it, such as memory, time"),
        ("plugins: {testOnReload: maybe}", "plugins.testOnReload: it is maybe; write true or false"),
        ("queue: {whenFull: wait}", "it is wait; write drop_newest or block"),
        ("exporters: {type: console}", "exporters: it is a section of keys; write a list"),
        ("exporters: [{level: info}]", "exporters[0]: type is missing; write console, json or otlp"),
        ("exporters: [{type: file}]", "exporters[0].type: it is file; write console, json or otlp"),
        ("exporters: [{type: otlp}]", "exporters[0]: endpoint is missing; write a URL"),
        ("exporters: [{type: otlp, endpoint: here}]", "exporters[0].endpoint: it is here; write a URL"),
        ("exporters: [{type: console, path: x}]", "type console has no such key; it has: level"),
        ("exporters: [{type: json, pat: x}]", "did you mean exporters[0].path?"),
        ("trace: 10s", "trace: it is 10s; write keys below it, such as idlePeriod, idleTimeout, maxAge"),
        ("- listen", "nightjar.yaml:1: it is a list; write keys below it, such as listen, db"),
        ("a: b: c", "nightjar.yaml:1: this is not YAML: mapping values are not allowed"),
        ("db: a\ndb: b", "this is not YAML: written more than once: db"),
        ("db: *no", "nightjar.yaml:1: this is not YAML"),
    ])
    func `a malformed value is named with its place and what to write`(_ yaml: String, _ fault: String) {
        let found = faults(yaml)
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.contains(fault) == true, "\(found)")
    }

    @Test(arguments: [
        (
            "metrics:\n  prefx: a",
            "nightjar.yaml:2: metrics.prefx: there is no such key; did you mean metrics.prefix?"
        ),
        ("lissen: a", "lissen: there is no such key; did you mean listen?"),
        ("prefix: a", "did you mean metrics.prefix?"),
        ("metrics: {cardinalityLimit: 3}", "did you mean metrics.cardinality.cardinalityLimit?"),
        ("trac: {idlePeriod: 1s}", "did you mean trace?"),
        ("trace: {xylophone: 1s}", "known here are: idlePeriod, idleTimeout, maxAge"),
        ("plugins: {dirr: a}", "did you mean plugins.dir?"),
        ("plugins: {limits: {memry: 1MiB}}", "did you mean plugins.limits.memory?"),
        ("plugins: {fuel: 1}", "did you mean plugins.limits.fuel?"),
    ])
    func `an unknown key is named with the nearest known one`(_ yaml: String, _ fault: String) {
        let found = faults(yaml)
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.contains(fault) == true, "\(found)")
    }

    @Test(arguments: [
        "plugins: {allowWrites: true}", "service: shop", "environment: test",
        "auth: {keys: [a]}", "tls: {certificate: a}",
    ])
    func `a key of the contract that nothing stands behind is refused by name`(_ yaml: String) {
        let found = faults(yaml)
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.hasSuffix(": not available in this version") == true, "\(found)")
    }

    @Test func `all faults are told at once, the file's first`() {
        let found = faults(
            "listen: x\ntrace: {idlePeriod: y}\nfoo: 1\ntls: {key: a}",
            environment: ["NIGHTJAR_QUEUE_BYTES": "z"]
        )
        #expect(
            found.map { $0.prefix { $0 != " " } } == [
                "nightjar.yaml:1:", "nightjar.yaml:2:", "nightjar.yaml:3:", "nightjar.yaml:4:",
                "NIGHTJAR_QUEUE_BYTES:",
            ]
        )
    }

    @Test(arguments: [
        (
            "NIGHTJAR_TRACE_IDLPERIOD", "1s",
            "there is no such variable; did you mean NIGHTJAR_TRACE_IDLEPERIOD?"
        ),
        ("NIGHTJAR_SERVICE", "shop", "service: not available in this version"),
        (
            "NIGHTJAR_TRACE_MAXAGE", "long",
            "NIGHTJAR_TRACE_MAXAGE: trace.maxAge: it is long; write a duration"
        ),
        ("NIGHTJAR_EXPORTERS", "[{type: otlp", "NIGHTJAR_EXPORTERS: this is not YAML"),
        ("NIGHTJAR_METRICS_BUCKETS", "1,2", "it is a list; write bounds by metric name"),
    ])
    func `a variable that is wrong is named`(_ name: String, _ text: String, _ fault: String) {
        let found = faults("", environment: [name: text])
        #expect(found.count == 1, "\(found)")
        #expect(found.first?.contains(fault) == true, "\(found)")
    }

    @Test func `settings of plugins in variables are YAML, and keep their types`() throws {
        let plugins = try resolve(environment: [
            "NIGHTJAR_PLUGINS_SETTINGS": #"{tone: {word: yes, limit: 1e3, id: "0x1F", name: 0x1F, none: ~}}"#,
            "NIGHTJAR_PLUGINS_DISABLED": "a, b", "NIGHTJAR_PLUGINS_LIMITS_TIME": "1s",
        ]).server.engine.plugins
        let tone: Value.Object = [
            "word": "yes", "limit": 1000.0, "id": "0x1F", "name": "0x1F", "none": .null,
        ]
        #expect(plugins?.settings == ["tone": tone])
        #expect(plugins?.disabled == ["a", "b"])
        #expect(plugins?.limits.callTime == .seconds(1))
    }

    @Test func `lists in variables have commas, sections are YAML`() throws {
        let server = try resolve(environment: [
            "NIGHTJAR_METRICS_CARDINALITY_BLOCKEDLABELS": "[]",
            "NIGHTJAR_METRICS_CARDINALITY_ALLOWEDLABELS": "user_id, run_id",
            "NIGHTJAR_METRICS_BUCKETS": "{_ms: [1, 2]}",
        ]).server
        #expect(server.engine.cardinality.blockedLabels.isEmpty)
        #expect(server.engine.cardinality.allowedLabels == ["user_id", "run_id"])
        #expect(server.engine.buckets == BucketConfiguration(["_ms": [1, 2]]))
    }

    @Test(arguments: [
        "NIGHTJAR_SERVER", "NIGHTJAR_KEY", "NIGHTJAR_SERVICE_HOST", "NIGHTJAR_SERVICE_PORT_HTTP",
        "NIGHTJAR_PORT",
        "NIGHTJAR_PORT_4318_TCP_ADDR", "NIGHTJAR_UI_SERVICE_PORT",
    ])
    func `variables of other commands, and those that Kubernetes sets for a service, are left alone`(
        _ name: String
    ) {
        #expect(faults("", environment: [name: "tcp://10.0.0.1:4318"]).isEmpty)
    }

    @Test func `no message shows a secret`() {
        for yaml in [
            "exporters: [{type: otlp, endpoint: \"http://a\", headers: {authorization: [s3cr3t]}}]",
            "exporters: [{type: otlp, endpoint: \"http://a\", headers: {\"a b\": s3cr3t}}]",
            "exporters: [{type: otlp, endpoint: \"http://a\", headers: s3cr3t}]",
            "exporters: [{type: otlp, endpoint: \"http://user:s3cr3t@a\"}]",
            "exporters: [{type: otlp, headers: {a: \"s3cr3t}]",
        ] {
            let found = faults(yaml)
            #expect(found.count == 1, "\(found)")
            #expect(!found.joined().contains("s3cr3t"), "\(found)")
        }
    }

    @Test func `every key has a variable of its own and is described`() {
        let lines = ConfigurationManual.variables.split(separator: "\n")
        let names = lines.filter { $0.hasPrefix("  NIGHTJAR_") }
        #expect(Set(names).count * 2 == lines.count)
        #expect(lines.allSatisfy { $0.count <= 80 })
        #expect(names.contains("  NIGHTJAR_EXTRACTION_PARENTWAIT"))
    }
}
