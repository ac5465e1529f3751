"""The operator on a real node: kubelet, containerd, the built image and helm."""
