"""The real stack on one machine: each component one module with the same small interface.

Nothing here is imported by a service. The command `outrider`, the demo and the tests all start the stack through
`outrider_local.runner`; a component is described by `outrider_local.component.Component`.
"""
