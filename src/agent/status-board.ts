import type { AppStatus, StatusAnswer } from "./admin/status.ts";
import type { ReplicasView } from "./containers/replicas-view.ts";
import type { AgentEvent, AppIdentity, Observe } from "./event.ts";

/** What each app of this process runs at this moment, as far as its events tell. */
export interface StatusBoard {
  observe(identity: AppIdentity): Observe;
  /** What can be seen of the app's containers, from now on. */
  show(app: string, view: ReplicasView): void;
  /** By app. */
  readonly views: ReadonlyMap<string, ReplicasView>;
  /** The app is no longer one of this process. */
  forget(app: string): void;
  status(): StatusAnswer;
}

export function openStatusBoard(): StatusBoard {
  const apps = new Map<string, AppStatus>();
  const views = new Map<string, ReplicasView>();
  return {
    observe({ app: name, mode: command }) {
      apps.set(name, { name, command, currentVersion: undefined, isRunning: false, backends: 0 });
      return (event) => {
        const status = apps.get(name);
        if (status) apps.set(name, { ...status, ...changeBy(event, status) });
      };
    },
    views,
    show: (app, view) => void views.set(app, view),
    forget(app) {
      apps.delete(app);
      views.delete(app);
    },
    status: () => ({ apps: [...apps.values()].map(withBackends) }),
  };

  /** What ends and begins among containers is no event of the app. */
  function withBackends(status: AppStatus): AppStatus {
    const serving = views.get(status.name)?.counts().serving;
    return serving === undefined
      ? status
      : { ...status, isRunning: serving > 0, backends: serving };
  }
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
