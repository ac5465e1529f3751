"""The operator: kopf handlers, reconciling, Job building, the Kubernetes client, metrics."""
