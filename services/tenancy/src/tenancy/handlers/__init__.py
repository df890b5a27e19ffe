"""What tenancy does: hear the onboarding topic, and bring about what the table says."""
