// What wit/ says, as far as this plugin uses it, in TypeScript. `null` stands for what is absent.

export interface Toast { kind: "info" | "success" | "warning" | "error"; content: string; i18n: [string, string][] }

export interface CardAction {
  operator: { openId: string; unionId: string | null; userId: string | null; tenantKey: string | null };
  /** `value` and `formValue` are JSON. */
  action: { tag: string; name: string | null; value: string | null; formValue: string | null };
}

export interface CardReply { toast: Toast | null; card: { tag: "raw"; val: string } | null }

export interface PreviewRequest { url: string }

export interface PreviewReply {
  inline: { title: string; i18nTitle: [string, string][]; imageKey: string | null; urls: null } | null;
  card: null;
}

/** Thrown by a handler: a toast for the user, or words for the log. */
export type Failure = { tag: "user"; val: Toast } | { tag: "internal"; val: string };
