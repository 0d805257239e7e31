const names = ["docker.io", "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"];

/** Docker Hub has one name for people, another for its API, and a third in Docker's config file. */
export const dockerHub = {
  api: "registry-1.docker.io",
  configKey: "https://index.docker.io/v1/",
} as const;

export function isDockerHub(host: string): boolean {
  return names.includes(host.toLowerCase());
}

/** The host that serves the API of `host`. */
export function apiHostOf(host: string): string {
  return isDockerHub(host) ? dockerHub.api : host;
}
