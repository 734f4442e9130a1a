"""What tests of a deployed site share: its visitors, and looks at its hosts."""
