import type { AppStatus, StatusAnswer } from "./admin/status.ts";
import type { AgentEvent, AppIdentity, Observe } from "./event.ts";

/** What each app of this process runs at this moment, as far as its events tell. */
export interface StatusBoard {
  observe(identity: AppIdentity): Observe;
  /** The app is no longer one of this process. */
  forget(app: string): void;
  status(): StatusAnswer;
}

export function openStatusBoard(): StatusBoard {
  const apps = new Map<string, AppStatus>();
  return {
    observe({ app: name, mode: command }) {
      apps.set(name, { name, command, currentVersion: undefined, isRunning: false });
      return (event) => {
        const status = apps.get(name);
        if (status) apps.set(name, { ...status, ...changeBy(event, status) });
      };
    },
    forget: (app) => void apps.delete(app),
    status: () => ({ apps: [...apps.values()] }),
  };
}

function changeBy(event: AgentEvent, { command }: AppStatus): Partial<AppStatus> {
  const isFiles = command === "assets";
  switch (event.type) {
    case "started":
      return { currentVersion: event.tag, isRunning: isFiles && event.tag !== undefined };
    case "deployed":
      return { currentVersion: event.deployment.tag, isRunning: true };
    case "rolled back":
      return { currentVersion: event.to };
    case "app started":
      return { currentVersion: event.tag, isRunning: true };
    case "app died":
    case "stopping":
      return { isRunning: false };
    default:
      return {};
  }
}
