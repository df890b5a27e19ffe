"""Kubernetes on one machine: a real control plane, a real node, images without a registry; or a given cluster."""
