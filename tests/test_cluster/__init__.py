"""The harness's own tests: what a Pod sees and what its status says, as on a kubelet."""
