// A program imports `Nightjar` alone: what its functions take and return is declared in these.
@_exported public import NightjarBus
@_exported public import NightjarExporters
@_exported public import NightjarSignals
