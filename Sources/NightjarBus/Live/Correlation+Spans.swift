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

extension Correlation {
    /// What a signal of a live span belongs to, by what one of its parent does. Of `own` the entity and the tags count, of
    /// `stated` what metadata it has itself, of `metadata` what it has with that of its parents.
    init(_ own: Span, in parent: Correlation?, stated: Value.Object, metadata: Value.Object) {
        let entity = own.entity
        let isStated = !stated.isEmpty && Correlation.isStated(in: stated)
        if let parent, entity.isEmpty, !isStated {
            self = parent
            return
        }
        var fields = parent?.fields ?? Fields()
        if !entity.isEmpty {
            (fields.parentEntity, fields.entity) = (fields.entity, entity)
            if fields.rootEntity.isEmpty { fields.rootEntity = entity }
        }
        if parent == nil { fields.tags = own.tags }
        self.init(fields)
        if isStated { replace(metadata: metadata) }
    }

    /// With the environment and the service of the program where no metadata states one.
    func filled(from context: LiveContext) -> Correlation {
        let known = fields
        guard
            known.environment == nil && context.environment != nil
                || known.serviceName == nil && context.serviceName != nil
        else { return self }
        var filled = known
        if filled.environment == nil { filled.environment = context.environment }
        if filled.serviceName == nil { filled.serviceName = context.serviceName }
        return Correlation(filled)
    }
}

extension LiveSpan {
    /// What a signal made in this span now belongs to.
    var correlation: Correlation { known().correlation }
}
