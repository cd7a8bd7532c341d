package import NightjarSignals

extension Correlation {
    /// What a signal of a span belongs to. `chain` is the span and its ancestors, nearest first; `metadata` the span's with its
    /// ancestors' below it; `tags` are the root's. Where the span has no entity of its own, that of its nearest ancestor holds.
    package init(chain: [Span], metadata: Value.Object) {
        var fields = Fields()
        var entities = chain.map(\.entity).filter { !$0.isEmpty }
        if !entities.isEmpty {
            fields.rootEntity = entities[entities.count - 1]
            fields.entity = entities.removeFirst()
        }
        fields.parentEntity = entities.first ?? Entity()
        if let span = chain.first {
            fields.environment = span.environment
            fields.serviceName = span.service
        }
        fields.tags = chain.last?.tags ?? []
        self.init(fields)
        take(metadata: metadata)
        if self.experiment == nil { self.experiment = metadata["experimentId"]?.string }
    }
}

extension Span {
    /// What ran in the span.
    var entity: Correlation.Entity {
        .init(type: entityType ?? type.entityType, id: entityID, name: entityName)
    }
}

extension LiveSpan {
    /// What a signal made in this span now belongs to.
    var correlation: Correlation {
        var chain: [Span] = []
        var at: LiveSpan? = self
        while let span = at {
            chain.append(span.ownSpan)
            at = span.parent
        }
        var correlation = Correlation(chain: chain, metadata: metadata)
        if correlation.environment == nil { correlation.environment = context.environment }
        if correlation.serviceName == nil { correlation.serviceName = context.serviceName }
        return correlation
    }
}
