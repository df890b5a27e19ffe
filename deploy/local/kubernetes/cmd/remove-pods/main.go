// Command remove-pods ends every pod of a container runtime and takes away all it had: processes, network, mounts.
//
//	remove-pods SOCKET
//
// It asks the runtime as the kubelet would; no kubelet may be running meanwhile.
package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	runtime "k8s.io/cri-api/pkg/apis/runtime/v1"
)

const limit = time.Minute

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: remove-pods SOCKET")
		os.Exit(2)
	}
	if err := removeAll(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func removeAll(socket string) error {
	connection, err := grpc.NewClient("unix://"+socket, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	client := runtime.NewRuntimeServiceClient(connection)
	pods, err := client.ListPodSandbox(ctx, &runtime.ListPodSandboxRequest{}, grpc.WaitForReady(true))
	if err != nil {
		return err
	}
	results := make(chan error, len(pods.Items))
	for _, pod := range pods.Items {
		go func() { results <- remove(ctx, client, pod) }()
	}
	for range pods.Items {
		if failed := <-results; failed != nil {
			err = failed
		}
	}
	return err
}

func remove(ctx context.Context, client runtime.RuntimeServiceClient, pod *runtime.PodSandbox) error {
	name := pod.GetMetadata().GetNamespace() + "/" + pod.GetMetadata().GetName()
	if _, err := client.StopPodSandbox(ctx, &runtime.StopPodSandboxRequest{PodSandboxId: pod.Id}); err != nil {
		return fmt.Errorf("%s could not be stopped: %w", name, err)
	}
	if _, err := client.RemovePodSandbox(ctx, &runtime.RemovePodSandboxRequest{PodSandboxId: pod.Id}); err != nil {
		return fmt.Errorf("%s could not be removed: %w", name, err)
	}
	return nil
}
