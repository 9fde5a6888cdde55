// The work on one channel, or on a new one: its form, and what the gateway says of it.
import { useState } from 'react';
import type { Channel } from '../io/contract-channels';
import { ApiError } from '../io/http';
import { channelField, channelOf, formOfChannel, newChannel, type ChannelForm } from '../logic/channels';
import { failureSentence } from '../logic/format';
import { besideField } from '../logic/rule-form';
import { ChannelFormView } from '../views/ChannelFormView';
import type { Wrong } from '../views/form-parts';
import { useServices } from './services';

export interface ChannelEditorProps {
  /** Null for a new one. */
  channel: Channel | null;
  /** With what became of it, or null where nothing did. */
  onClose(words: string | null): void;
}

export function ChannelEditor({ channel, onClose }: ChannelEditorProps) {
  const { alertApi } = useServices();
  const [form, setForm] = useState<ChannelForm>(() => (channel ? formOfChannel(channel) : newChannel('slack')));
  const [wrong, setWrong] = useState<Wrong | null>(null);
  const [busy, setBusy] = useState(false);
  const save = async () => {
    const reading = channelOf(form);
    if ('reason' in reading) return setWrong({ field: reading.field, words: `${reading.reason}.` });
    setBusy(true);
    try {
      if (channel) await alertApi.setChannel(channel.id, channel.version, reading.draft);
      else await alertApi.addChannel(reading.draft);
      onClose(`${reading.draft.name} was saved.`);
    } catch (error) {
      const named = error instanceof ApiError ? error.field : null;
      setWrong({ field: channelField(named), words: besideField(failureSentence(error), named) });
      setBusy(false);
    }
  };
  return (
    <ChannelFormView
      form={form}
      isNew={channel === null}
      wrong={wrong}
      busy={busy}
      onForm={(next) => (setForm(next), setWrong(null))}
      onKind={(kind) => (setForm({ ...newChannel(kind), name: form.name, isDefault: form.isDefault }), setWrong(null))}
      onSave={() => void save()}
      onClose={() => onClose(null)}
    />
  );
}
