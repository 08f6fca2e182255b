// A property that is chosen by its name, or none.
import { useCallback, useEffect, useState } from 'preact/hooks';
import { useSelection } from '../question';
import { FIELDS, suggestProperties } from './filter-list';
import { Suggest } from './suggest';

interface Props {
  label: string;
  /** A field such as `metadata.path`; empty where none is chosen. */
  value: string;
  onChange: (field: string) => void;
  placeholder?: string;
}

/** A text field that takes the name of a property, and tells it once it is whole. */
export const PropertyChoice = ({ label, value, onChange, placeholder }: Props) => {
  const selection = useSelection();
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const properties = useCallback(
    (written: string, signal: AbortSignal) => suggestProperties(selection, written, signal),
    [selection],
  );
  const tell = (written: string) => {
    const name = written.trim();
    const field = name === '' || FIELDS.includes(name) || name.startsWith('metadata.') ? name : `metadata.${name}`;
    if (field !== value) onChange(field);
    setText(field);
  };
  return (
    <div onFocusOut={() => tell(text)}>
      <Suggest
        label={label}
        value={text}
        onChange={setText}
        onChoose={tell}
        suggest={properties}
        {...(placeholder ? { placeholder } : {})}
      />
    </div>
  );
};
