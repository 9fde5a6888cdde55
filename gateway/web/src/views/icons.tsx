// The few icons of the dashboard, drawn on a 16-pixel grid in the colour of the text around them.
// All are decoration: the words beside them, or the label of their button, carry the meaning.
import type { ReactNode } from 'react';

function Icon({ children }: { children: ReactNode }) {
  return (
    <svg className="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" fill="none" stroke="currentColor" strokeWidth="1.5" strokeLinecap="round" strokeLinejoin="round">
      {children}
    </svg>
  );
}

export const SearchIcon = () => (
  <Icon>
    <circle cx="7" cy="7" r="4.25" />
    <path d="m10.5 10.5 3 3" />
  </Icon>
);

export const SunIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="2.75" />
    <path d="M8 1.5v1.25M8 13.25v1.25M1.5 8h1.25M13.25 8h1.25M3.4 3.4l.9.9M11.7 11.7l.9.9M12.6 3.4l-.9.9M4.3 11.7l-.9.9" />
  </Icon>
);

export const MoonIcon = () => (
  <Icon>
    <path d="M13.5 9.6A5.75 5.75 0 0 1 6.4 2.5a5.75 5.75 0 1 0 7.1 7.1Z" />
  </Icon>
);

export const SignOutIcon = () => (
  <Icon>
    <path d="M6.5 13.5h-3v-11h3M10.5 11l3-3-3-3M13.25 8H6.5" />
  </Icon>
);

export const ChevronIcon = () => (
  <Icon>
    <path d="m6 4 4 4-4 4" />
  </Icon>
);

export const CheckIcon = () => (
  <Icon>
    <path d="m3.5 8.5 3 3 6-7" />
  </Icon>
);

export const WarningIcon = () => (
  <Icon>
    <path d="M8 2.25 14.25 13H1.75L8 2.25ZM8 6.5v3M8 11.25v.1" />
  </Icon>
);

export const PulseIcon = () => (
  <Icon>
    <path d="M1.5 8.5h3l2-5 3 9 2-4h3" />
  </Icon>
);

export const ServerIcon = () => (
  <Icon>
    <rect x="2.25" y="2.75" width="11.5" height="4.25" rx="1" />
    <rect x="2.25" y="9" width="11.5" height="4.25" rx="1" />
    <path d="M4.75 4.9v.05M4.75 11.1v.05" />
  </Icon>
);

export const CalendarIcon = () => (
  <Icon>
    <rect x="2.25" y="3.25" width="11.5" height="10.5" rx="1.5" />
    <path d="M2.5 6.5h11M5.5 1.75v2.5M10.5 1.75v2.5" />
  </Icon>
);

export const PauseIcon = () => (
  <Icon>
    <path d="M5.75 3.5v9M10.25 3.5v9" />
  </Icon>
);

export const ClockIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="6" />
    <path d="M8 4.5V8l2.25 1.5" />
  </Icon>
);

export const QueueIcon = () => (
  <Icon>
    <path d="M2.25 4h11.5M2.25 8h11.5M2.25 12h7.5M11.75 10.5l1.75 1.5-1.75 1.5" />
  </Icon>
);

export const GearIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="2" />
    <path d="M8 1.75v2M8 12.25v2M1.75 8h2M12.25 8h2M3.6 3.6 5 5M11 11l1.4 1.4M12.4 3.6 11 5M5 11l-1.4 1.4" />
    <circle cx="8" cy="8" r="4.25" />
  </Icon>
);

export const DatabaseIcon = () => (
  <Icon>
    <ellipse cx="8" cy="3.75" rx="5.25" ry="2" />
    <path d="M2.75 3.75v8.5c0 1.1 2.35 2 5.25 2s5.25-.9 5.25-2v-8.5M2.75 8c0 1.1 2.35 2 5.25 2s5.25-.9 5.25-2" />
  </Icon>
);

export const DownloadIcon = () => (
  <Icon>
    <path d="M8 2.25v7.5M4.75 6.75 8 10l3.25-3.25M2.75 13.25h10.5" />
  </Icon>
);

export const CrossIcon = () => (
  <Icon>
    <path d="m4 4 8 8M12 4l-8 8" />
  </Icon>
);

export const BellIcon = () => (
  <Icon>
    <path d="M3.25 11.75h9.5c-1-1-1.35-2-1.35-4.1A3.4 3.4 0 0 0 8 4.25a3.4 3.4 0 0 0-3.4 3.4c0 2.1-.35 3.1-1.35 4.1ZM6.75 13.75h2.5M8 2.25v2" />
  </Icon>
);

export const MutedIcon = () => (
  <Icon>
    <path d="M4.75 11.75h8c-1-1-1.35-2-1.35-4.1a3.4 3.4 0 0 0-4.5-3.2M4.7 6.9c-.1 2.4-.4 3.8-1.45 4.85M6.75 13.75h2.5M2.5 2.5l11 11" />
  </Icon>
);

export const PlusIcon = () => (
  <Icon>
    <path d="M8 3.25v9.5M3.25 8h9.5" />
  </Icon>
);

export function Logo({ size = 24 }: { size?: number }) {
  return (
    <svg className="logo" viewBox="0 0 32 32" width={size} height={size} aria-hidden="true">
      <rect className="logo-ground" width="32" height="32" rx="8" />
      <g className="logo-bars">
        <rect x="6.5" y="16" width="4" height="9.5" rx="2" />
        <rect x="14" y="6.5" width="4" height="19" rx="2" />
        <rect x="21.5" y="11.5" width="4" height="14" rx="2" />
      </g>
    </svg>
  );
}
