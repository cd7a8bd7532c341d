/// What `nightjar serve --print-config` prints.
enum Golden {
    static let standard = """
        listen: 127.0.0.1:4318  # default
        db: nightjar.db  # default
        plugins:
          dir: plugins  # default
          disabled: []  # default
          settings: {}  # default
          limits:
            memory: 64MiB  # default
            time: 50ms  # default
            loadTime: 2s  # default
            fuel: 50000000  # default
            emissions: 1000  # default
            share: 0.2  # default
          testOnReload: false  # default
        # logLevel: not set
        metrics:
          enabled: true  # default
          prefix: ""  # default
          disabled: []  # default
          buckets: {}  # default
          cardinality:
            blockedLabels: [request_id, resource_id, run_id, session_id, span_id, thread_id, trace_id, user_id]  # default
            allowedLabels: []  # default
            blockUUIDs: true  # default
            cardinalityLimit: 2000  # default
            perMetric: {}  # default
        extraction:
          parentWait: 1h  # default
        trace:
          idlePeriod: 6s  # default
          idleTimeout: 1m  # default
          maxAge: 1h  # default
        sampling:
          type: always  # default
          # probability: not set
        redaction:
          enabled: true  # default
          keys: [password, token, secret, key, apikey, auth, authorization, bearer, bearertoken, jwt, credential, clientsecret, privatekey, refresh, ssn]  # default
          style: full  # default
        exporters: []  # default
        queue:
          bytes: 64MiB  # default
          whenFull: drop_newest  # default
        limits:
          bodyBytes: 16MiB  # default
          inflatedBytes: 64MiB  # default
          valueBytes: 1MiB  # default
          spanBytes: 16MiB  # default
          traceSpans: 250000  # default
          traceBytes: 256MiB  # default
          connections: 1024  # default
        query:
          timeout: 10s  # default
        retention:
          traces: 10d  # default
          logs: 10d  # default
          metrics: 10d  # default
          scores: 10d  # default
          # maxBytes: not set
          # refuseOlderThan: not set

        """

    static let file = """
        listen: localhost:4000
        db: data/n.db
        metrics:
          prefix: shop_
          disabled: [mastra_scores_total]
          buckets:
            _ms: [1, 2.5, 1000]
          cardinality:
            blockedLabels: []
            allowedLabels:
              - user_id
            blockUUIDs: false
            cardinalityLimit: 100
            perMetric:
              shop_mastra_agent_runs_ended:
                allow: [agent, status]
                block: [env]
                cardinalityLimit: 10
                maxValueLength: 20
        trace:
          idlePeriod: 250ms
          idleTimeout: 90s
          maxAge: 2h
        sampling:
          type: ratio
          probability: 0.25
        redaction:
          enabled: false
          keys: [card]
          style: pseudonymise
        exporters:
          - type: console
            level: warn
          - type: json
            path: out/signals.jsonl
          - type: otlp
            endpoint: https://collector.example:4318
            headers:
              authorization: Bearer s3cr3t
          - type: console
        queue:
          bytes: 32MiB
          whenFull: block
        limits:
          bodyBytes: 8MiB
          inflatedBytes: 32MiB
          valueBytes: 4096
          spanBytes: 2MiB
          traceSpans: 10000
          traceBytes: 64MiB
          connections: 100
        query:
          timeout: 1s
        plugins:
          disabled: [draft, old-one]
          settings:
            slow_tools:
              threshold_ms: 2500
              word: "12"
              ratio: 0.5
              on: true
              list: [a, 1]
          limits:
            memory: 16MiB
            time: 20ms
            loadTime: 5s
            fuel: 1000000
            emissions: 10
            share: 0.5
        retention:
          traces: 2d
          logs: 12h
          scores: 90d
          maxBytes: 2GiB
          refuseOlderThan: 30d

        """

    static let shown = """
        listen: localhost:4000  # nightjar.yaml:1
        db: none  # --db
        plugins:
          dir: rules  # NIGHTJAR_PLUGINS_DIR
          disabled: [draft, old-one]  # nightjar.yaml:55
          settings: {slow_tools: {threshold_ms: 2500, word: "12", ratio: 0.5, "on": true, list: [a, 1]}}  # nightjar.yaml:56
          limits:
            memory: 16MiB  # nightjar.yaml:64
            time: 20ms  # nightjar.yaml:65
            loadTime: 5s  # nightjar.yaml:66
            fuel: 1000000  # nightjar.yaml:67
            emissions: 10  # nightjar.yaml:68
            share: 0.5  # nightjar.yaml:69
          testOnReload: true  # --test-on-reload
        logLevel: warn  # --log-level
        metrics:
          enabled: true  # default
          prefix: shop_  # nightjar.yaml:4
          disabled: [mastra_scores_total]  # nightjar.yaml:5
          buckets: {_ms: [1, 2.5, 1000]}  # nightjar.yaml:6
          cardinality:
            blockedLabels: []  # nightjar.yaml:9
            allowedLabels: [user_id]  # nightjar.yaml:10
            blockUUIDs: false  # nightjar.yaml:12
            cardinalityLimit: 50  # NIGHTJAR_METRICS_CARDINALITY_CARDINALITYLIMIT
            perMetric: {shop_mastra_agent_runs_ended: {allow: [agent, status], block: [env], cardinalityLimit: 10, maxValueLength: 20}}  # nightjar.yaml:14
        extraction:
          parentWait: 2h  # default
        trace:
          idlePeriod: 250ms  # nightjar.yaml:21
          idleTimeout: 90s  # nightjar.yaml:22
          maxAge: 2h  # nightjar.yaml:23
        sampling:
          type: ratio  # nightjar.yaml:25
          probability: 0.25  # nightjar.yaml:26
        redaction:
          enabled: false  # nightjar.yaml:28
          keys: [password, card]  # NIGHTJAR_REDACTION_KEYS
          style: pseudonymise  # nightjar.yaml:30
        exporters: [{type: console, level: warn}, {type: json, path: out/signals.jsonl}, {type: otlp, endpoint: https://collector.example:4318, headers: {authorization: "***"}}, {type: console}]  # nightjar.yaml:31
        queue:
          bytes: 32MiB  # nightjar.yaml:42
          whenFull: block  # nightjar.yaml:43
        limits:
          bodyBytes: 8MiB  # nightjar.yaml:45
          inflatedBytes: 32MiB  # nightjar.yaml:46
          valueBytes: 4KiB  # nightjar.yaml:47
          spanBytes: 2MiB  # nightjar.yaml:48
          traceSpans: 10000  # nightjar.yaml:49
          traceBytes: 64MiB  # nightjar.yaml:50
          connections: 100  # nightjar.yaml:51
        query:
          timeout: 1s  # nightjar.yaml:53
        retention:
          traces: 2d  # nightjar.yaml:71
          logs: 12h  # nightjar.yaml:72
          metrics: 1h  # NIGHTJAR_RETENTION_METRICS
          scores: 90d  # nightjar.yaml:73
          maxBytes: 2GiB  # nightjar.yaml:74
          refuseOlderThan: 30d  # nightjar.yaml:75

        """
}
